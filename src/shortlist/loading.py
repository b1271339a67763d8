"""Loading: what is stored in a directory, whichever of our fitted things it is."""

from pathlib import Path

from shortlist import pipeline, regression, store, targets
from shortlist.pipeline import FittedPipeline
from shortlist.regression import FittedRegression
from shortlist.tabular import stored as tabular
from shortlist.tabular.stored import TellsRows
from shortlist.targets import FittedTargets


def load(path: str | Path) -> FittedPipeline | FittedRegression | FittedTargets | TellsRows:
    """What is stored in a directory by `save`, whichever fitted thing it is, or what `shortlist fit` stored there.

    It answers as the one that was stored did. Anything else at `path` raises `StoreError`.
    """
    told = store.manifest(path)
    if "regression" in told:
        return regression.read(Path(path), told)
    if "targets" in told:
        return targets.read(Path(path), told)
    if "tabular" in told:
        return tabular.read(Path(path), told)
    return pipeline.load(path)
