"""Claim next-challenges: map@3 of the last three of ten challenges, given the first seven, and recall of new ones.

    python benchmarks/next-challenges.py

av_challenges: a fifth of the users, drawn with seed 0, is validated on; their seven are learnt from too, as a contest
gives them. The settings were chosen on the users that seed 7 draws (see docs/studies/focal-loss.md), not on these.
single: the gated recurrent units alone. pipeline: these, CoVisit, EASE and Popular, and a LambdaMART that learnt from
what everybody's newest three were. The document's network by its own report: 0.1877 (all contest users, 10 given).

New items: a tenth of those that anybody met is taken out of what is learnt from; what is judged is recall@10 of these
alone, of which attributes are all that is known (submissions left out), in lists of all items: against the most popular
items where the true popularity of the new ones were known, which nobody could, and is the strongest that popularity
could be. What both do in lists of the new items alone stands in the rows.

A fit takes minutes: what was measured stands in the cache folder (SHORTLIST_CACHE) and is not measured again.
Intervals: bootstrap over users.
"""

from pathlib import Path
from typing import Any

import _ours
import _result

HERE = Path(__file__).parent / "next_challenges"
SEED, SHARE = 0, 0.1
SINGLE = ("Next gru", "Next mlp, focal, as in the document")


def main() -> None:
    """Measure and write the result."""
    version = f"shortlist {_result.version()}"
    rows: list[dict[str, Any]] = []
    for name in ("pipeline", *SINGLE[1:]):
        measured = _ours.once("next-challenges", name, HERE / "by_ours.py", str(SEED), name)
        found = measured["told"]
        for model, metrics in found["models"].items():
            for metric, told in metrics.items():
                more = {**told, "users": found["users"], "seed": SEED, "commit": measured["commit"]}
                if model in ("Pipeline", *SINGLE[1:]):
                    more["fit_seconds"] = found["seconds"]
                value = more.pop("value")
                rows.append(_result.row("av_challenges", model, version, metric, value, **more))
    found = _ours.once("next-challenges", "new", HERE / "by_ours.py", str(SEED), "new", str(SHARE))["told"]
    for name, told in found["metrics"].items():
        more = {**told, "users": found["users"], "new items": found["new items"], "seed": SEED}
        value = more.pop("value")
        rows.append(_result.row("av_challenges, new items", name, version, "recall@10", value, **more))

    def value(model: str, metric: str = "map@3") -> float:
        return float(next(row["value"] for row in rows if row["model"] == model and row["metric"] == metric))

    new = found["metrics"]
    figures = {
        "map@3_single": max(value(name) for name in SINGLE),
        "map@3_pipeline": value("Pipeline"),
        "new_item_recall@10_over_popularity": new["Next gru"]["value"]
        / new["most popular, had it been known"]["value"],
    }
    _result.write("next-challenges", figures, rows)


if __name__ == "__main__":
    main()
