"""Claim match-scale: a made-up curriculum of 100,000 topics, 150,000 contents and 280,000 links, end to end.

    python benchmarks/match-scale.py

Twenty made-up languages, topics in trees; a tenth of the topics is held out. One search of the texts of all topics in
those of all contents, 50 each, is timed by itself (`search_seconds`). minutes: the fit (three folds of topics held out
in turn, their candidates and features, four rankers, the rule by which lists end) and the lists of all topics. The time
to make the texts is not counted. A process of its own: `peak_mb` is all of its memory.

The limit of the search: each term of a query is met in every content that has it, so it takes as many additions as the
sum over terms of (topics that have it) x (contents that have it).
"""

from pathlib import Path

import _ours
import _result

TOPICS, CONTENTS, PAIRS = 100_000, 150_000, 280_000


def main() -> None:
    """Measure and write the result."""
    script = Path(__file__).parent / "match_scale/by_ours.py"
    told = _ours.run(script, str(TOPICS), str(CONTENTS), str(PAIRS))
    data = f"made-up, {TOPICS:,} topics x {CONTENTS:,} contents"
    version = f"shortlist {_result.version()}"
    rows = [_result.row(data, "TextSearch, LambdaMART, cut", version, name, value) for name, value in told.items()]
    figures = {"minutes": told["seconds"] / 60, "peak_mb": told["peak_mb"], "search_seconds": told["search_seconds"]}
    _result.write("match-scale", figures, rows)


if __name__ == "__main__":
    main()
