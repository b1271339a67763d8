"""Shortlist: ranked lists from tables of what happened. Retrieve, rank, judge honestly.

Every public name stands here; what it needs is imported when it is first used, so that `import shortlist` is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from shortlist.errors import (
    ColumnError,
    ConfigError,
    DataError,
    MissingExtraError,
    RejectsError,
    ShortlistError,
    StoreError,
)

if TYPE_CHECKING:
    from shortlist.dataset.dataset import Dataset
    from shortlist.dataset.split import Split, at_random, by_time, by_user, last_n
    from shortlist.evaluation.anatomy import anatomy
    from shortlist.evaluation.evaluate import evaluate
    from shortlist.experiment import baselines
    from shortlist.models.covisit import CoVisit
    from shortlist.models.popular import Popular
    from shortlist.models.repurchase import Repurchase
    from shortlist.models.same_attribute import SameAttribute
    from shortlist.models.user_knn import UserKNN
    from shortlist.pipeline import FittedPipeline, Pipeline, load
    from shortlist.ranking.features import Features
    from shortlist.ranking.ranker import LambdaMART
    from shortlist.tables.engine import Engine

__all__ = [
    "CoVisit",
    "ColumnError",
    "ConfigError",
    "DataError",
    "Dataset",
    "Engine",
    "Features",
    "FittedPipeline",
    "LambdaMART",
    "MissingExtraError",
    "Pipeline",
    "Popular",
    "RejectsError",
    "Repurchase",
    "SameAttribute",
    "ShortlistError",
    "Split",
    "StoreError",
    "UserKNN",
    "anatomy",
    "at_random",
    "baselines",
    "by_time",
    "by_user",
    "evaluate",
    "last_n",
    "load",
]

_HOMES = {
    "CoVisit": "models.covisit",
    "Dataset": "dataset.dataset",
    "Engine": "tables.engine",
    "Features": "ranking.features",
    "FittedPipeline": "pipeline",
    "LambdaMART": "ranking.ranker",
    "Pipeline": "pipeline",
    "Popular": "models.popular",
    "Repurchase": "models.repurchase",
    "SameAttribute": "models.same_attribute",
    "Split": "dataset.split",
    "UserKNN": "models.user_knn",
    "anatomy": "evaluation.anatomy",
    "at_random": "dataset.split",
    "baselines": "experiment",
    "by_time": "dataset.split",
    "by_user": "dataset.split",
    "evaluate": "evaluation.evaluate",
    "last_n": "dataset.split",
    "load": "pipeline",
}
"""The module of each public name that is imported when it is first used."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'shortlist' has no attribute {name!r}")
    return getattr(import_module(f"shortlist.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
