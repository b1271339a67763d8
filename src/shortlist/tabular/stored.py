"""What tells numbers of rows, stored in a directory, back again."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shortlist import store
from shortlist.errors import StoreError
from shortlist.models.pretrained import FittedPretrained, Pretrained
from shortlist.models.text_encoders import FittedNGrams, NGrams
from shortlist.tabular.category_means import CategoryMeans
from shortlist.tabular.columns import Columns
from shortlist.tabular.features import Features
from shortlist.tabular.intervals import Intervals
from shortlist.tabular.network import FittedTabularNetwork, TabularNetwork
from shortlist.tabular.number import FittedNumber
from shortlist.tabular.regression import FittedTabularRegression, TabularRegression
from shortlist.tabular.scale import Scale
from shortlist.tabular.stream_ridge import FittedStreamRidge, StreamRidge
from shortlist.tabular.text_ridge import FittedTextRidge, TextRidge
from shortlist.tabular.trees import BoostedTrees, FittedTrees
from shortlist.tabular.ways import FittedWay
from shortlist.training.plan import Training

TellsRows = FittedTabularRegression | FittedStreamRidge
"""What tells a number of a row."""
KINDS: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        *(TabularRegression, FittedTabularRegression, FittedNumber, Columns, Features, CategoryMeans, Intervals),
        *(TextRidge, FittedTextRidge, BoostedTrees, FittedTrees, FittedWay, StreamRidge, FittedStreamRidge, Scale),
        *(TabularNetwork, FittedTabularNetwork, NGrams, FittedNGrams, Pretrained, FittedPretrained, Training),
    )
}
"""Every recipe and fitted thing of these, for the store."""


def read(path: Path, told: Mapping[str, Any]) -> TellsRows:
    """What is stored at `path`, whose manifest says `told`."""
    if "tabular" not in told:
        raise StoreError(f"{str(path)!r} tells no numbers of rows: it was stored by something else")
    found: TellsRows = store.read(path / told["contents"] / "tabular", told["tabular"], KINDS)
    return found
