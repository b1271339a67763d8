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
    from shortlist.dataset.folds import Tree, k_fold, rolling
    from shortlist.dataset.split import Split, at_random, by_column, by_item, by_time, by_user, last_n
    from shortlist.dataset.texts import Text
    from shortlist.evaluation.anatomy import anatomy
    from shortlist.evaluation.predictions import evaluate_predictions
    from shortlist.evaluation.slices import slices
    from shortlist.leaks.check import check
    from shortlist.leaks.findings import Findings
    from shortlist.loading import load
    from shortlist.memory_needs import memory_report
    from shortlist.models.als import ALS
    from shortlist.models.bayesian_mf import BayesianMF
    from shortlist.models.bias import Bias
    from shortlist.models.biased_mf import BiasedMF
    from shortlist.models.bpr import BPR
    from shortlist.models.covisit import CoVisit
    from shortlist.models.dot_product import DotProduct
    from shortlist.models.ease import EASE
    from shortlist.models.graph_filter import GraphFilter
    from shortlist.models.item_knn import ItemKNN
    from shortlist.models.matrix_factorization import MatrixFactorization
    from shortlist.models.neural_ratings import NeuralRatings
    from shortlist.models.next import Next
    from shortlist.models.popular import Popular
    from shortlist.models.pretrained import Pretrained
    from shortlist.models.repurchase import Repurchase
    from shortlist.models.same_attribute import SameAttribute
    from shortlist.models.svdpp import SVDpp
    from shortlist.models.text_encoders import NGrams
    from shortlist.models.text_match import TextMatch
    from shortlist.models.text_search import TextSearch
    from shortlist.models.user_knn import UserKNN
    from shortlist.pipeline import FittedPipeline, Pipeline
    from shortlist.ranking.cross_encoder import CrossEncoder
    from shortlist.ranking.cutting import Cut
    from shortlist.ranking.features import Features
    from shortlist.ranking.lessons import Folds
    from shortlist.ranking.match_features import MatchFeatures
    from shortlist.ranking.ranker import LambdaMART
    from shortlist.regression import FittedRegression, Regression
    from shortlist.reporting.inside import factor_map_chart, liked_chart, loss_chart, rate_chart
    from shortlist.reporting.writing import report
    from shortlist.tables.engine import Engine
    from shortlist.tables.stream import Stream
    from shortlist.tabular.columns import Columns
    from shortlist.tabular.network import TabularNetwork
    from shortlist.tabular.regression import FittedTabularRegression, TabularRegression
    from shortlist.tabular.stream_ridge import FittedStreamRidge, StreamRidge
    from shortlist.tabular.text_ridge import TextRidge
    from shortlist.tabular.trees import BoostedTrees
    from shortlist.targets import FittedTargets, Targets
    from shortlist.training.plan import Training
    from shortlist.yardsticks import baselines, evaluate

__all__ = [
    "ALS",
    "BPR",
    "EASE",
    "BayesianMF",
    "Bias",
    "BiasedMF",
    "BoostedTrees",
    "CoVisit",
    "ColumnError",
    "Columns",
    "ConfigError",
    "CrossEncoder",
    "Cut",
    "DataError",
    "Dataset",
    "DotProduct",
    "Engine",
    "Features",
    "Findings",
    "FittedPipeline",
    "FittedRegression",
    "FittedStreamRidge",
    "FittedTabularRegression",
    "FittedTargets",
    "Folds",
    "GraphFilter",
    "ItemKNN",
    "LambdaMART",
    "MatchFeatures",
    "MatrixFactorization",
    "MissingExtraError",
    "NGrams",
    "NeuralRatings",
    "Next",
    "Pipeline",
    "Popular",
    "Pretrained",
    "Regression",
    "RejectsError",
    "Repurchase",
    "SVDpp",
    "SameAttribute",
    "ShortlistError",
    "Split",
    "StoreError",
    "Stream",
    "StreamRidge",
    "TabularNetwork",
    "TabularRegression",
    "Targets",
    "Text",
    "TextMatch",
    "TextRidge",
    "TextSearch",
    "Training",
    "Tree",
    "UserKNN",
    "anatomy",
    "at_random",
    "baselines",
    "by_column",
    "by_item",
    "by_time",
    "by_user",
    "check",
    "evaluate",
    "evaluate_predictions",
    "factor_map_chart",
    "k_fold",
    "last_n",
    "liked_chart",
    "load",
    "loss_chart",
    "memory_report",
    "rate_chart",
    "report",
    "rolling",
    "slices",
]

_HOMES = {
    "ALS": "models.als",
    "BPR": "models.bpr",
    "BayesianMF": "models.bayesian_mf",
    "Bias": "models.bias",
    "BiasedMF": "models.biased_mf",
    "SVDpp": "models.svdpp",
    "DotProduct": "models.dot_product",
    "EASE": "models.ease",
    "MatrixFactorization": "models.matrix_factorization",
    "NeuralRatings": "models.neural_ratings",
    "Next": "models.next",
    "Training": "training.plan",
    "GraphFilter": "models.graph_filter",
    "ItemKNN": "models.item_knn",
    "CoVisit": "models.covisit",
    "Dataset": "dataset.dataset",
    "Engine": "tables.engine",
    "Features": "ranking.features",
    "Findings": "leaks.findings",
    "FittedPipeline": "pipeline",
    "FittedRegression": "regression",
    "FittedTargets": "targets",
    "Targets": "targets",
    "Stream": "tables.stream",
    "Columns": "tabular.columns",
    "TabularNetwork": "tabular.network",
    "TabularRegression": "tabular.regression",
    "FittedTabularRegression": "tabular.regression",
    "StreamRidge": "tabular.stream_ridge",
    "FittedStreamRidge": "tabular.stream_ridge",
    "TextRidge": "tabular.text_ridge",
    "BoostedTrees": "tabular.trees",
    "LambdaMART": "ranking.ranker",
    "Pipeline": "pipeline",
    "Popular": "models.popular",
    "Regression": "regression",
    "Repurchase": "models.repurchase",
    "SameAttribute": "models.same_attribute",
    "Split": "dataset.split",
    "Tree": "dataset.folds",
    "Text": "dataset.texts",
    "NGrams": "models.text_encoders",
    "Pretrained": "models.pretrained",
    "TextMatch": "models.text_match",
    "TextSearch": "models.text_search",
    "MatchFeatures": "ranking.match_features",
    "CrossEncoder": "ranking.cross_encoder",
    "Cut": "ranking.cutting",
    "Folds": "ranking.lessons",
    "UserKNN": "models.user_knn",
    "anatomy": "evaluation.anatomy",
    "at_random": "dataset.split",
    "baselines": "yardsticks",
    "by_column": "dataset.split",
    "by_item": "dataset.split",
    "by_time": "dataset.split",
    "by_user": "dataset.split",
    "check": "leaks.check",
    "evaluate": "yardsticks",
    "evaluate_predictions": "evaluation.predictions",
    "factor_map_chart": "reporting.inside",
    "k_fold": "dataset.folds",
    "last_n": "dataset.split",
    "liked_chart": "reporting.inside",
    "load": "loading",
    "loss_chart": "reporting.inside",
    "memory_report": "memory_needs",
    "rate_chart": "reporting.inside",
    "report": "reporting.writing",
    "rolling": "dataset.folds",
    "slices": "evaluation.slices",
}
"""The module of each public name that is imported when it is first used."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'shortlist' has no attribute {name!r}")
    return getattr(import_module(f"shortlist.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
