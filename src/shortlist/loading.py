"""Loading: what is stored in a directory, whichever of our fitted things it is."""

from pathlib import Path

from shortlist import pipeline, regression, store
from shortlist.pipeline import FittedPipeline
from shortlist.regression import FittedRegression


def load(path: str | Path) -> FittedPipeline | FittedRegression:
    """The pipeline or regression stored in a directory by `save`, or the pipeline of `shortlist fit`.

    It answers as the one that was stored did. Anything else at `path` raises `StoreError`.
    """
    told = store.manifest(path)
    if "regression" in told:
        return regression.read(Path(path), told)
    return pipeline.load(path)
