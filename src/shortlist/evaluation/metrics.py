"""Metrics as values: a name, and how many places count.

`parse_metric("map@12")` reads one, `str` writes it back. What each is, its formula, its choices and its source stand in
the docstring of its function: `accuracy` (a list by its hits), `exposure` (what lists show), `closeness` (predicted
numbers).
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from shortlist.errors import ConfigError, nearest
from shortlist.evaluation import accuracy, closeness, exposure
from shortlist.evaluation.accuracy import Values
from shortlist.evaluation.hits import Hits

Kind = Literal["accuracy", "exposure", "all lists", "closeness"]
"""What a metric judges: each user's list by its hits or by what it shows, all lists together, or predicted numbers."""

_ROWS = 1 << 14
"""Users that are computed at once, so that the floats in between stay small for any number of users."""
_F_BETA = re.compile(r"f(\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Family:
    """The metrics of one name: what they judge, their function, whether a k is needed, and which way is good."""

    kind: Kind
    function: Callable[..., Any]
    k: Literal["needed", "free", "none"] = "needed"
    higher: bool | None = True
    """Whether more is better; None where it depends on what is wanted."""
    needs: str = ""
    """What `evaluate` must be given beside lists and truth: `history`, `items` or `catalogue`."""


FAMILIES: dict[str, Family] = {
    "hit_rate": Family("accuracy", accuracy.hit_rate),
    "precision": Family("accuracy", accuracy.precision, k="free"),
    "recall": Family("accuracy", accuracy.recall, k="free"),
    "f_beta": Family("accuracy", accuracy.f_beta, k="free"),
    "mrr": Family("accuracy", accuracy.reciprocal_rank),
    "map": Family("accuracy", accuracy.average_precision),
    "ndcg": Family("accuracy", accuracy.normalised_gain),
    "novelty": Family("exposure", exposure.novelty, needs="history"),
    "popularity_bias": Family("exposure", exposure.popularity_bias, higher=None, needs="history"),
    "serendipity": Family("exposure", exposure.serendipity, needs="history"),
    "diversity": Family("exposure", exposure.diversity, higher=None, needs="items"),
    "coverage": Family("all lists", exposure.coverage, needs="catalogue"),
    "gini": Family("all lists", exposure.gini, higher=False, needs="catalogue"),
    "mse": Family("closeness", closeness.mse, k="none", higher=False),
    "rmse": Family("closeness", closeness.rmse, k="none", higher=False),
    "mae": Family("closeness", closeness.mae, k="none", higher=False),
    "rmsle": Family("closeness", closeness.rmsle, k="none", higher=False),
    "r2": Family("closeness", closeness.r2, k="none"),
    "spearman": Family("closeness", closeness.spearman, k="none"),
    "calibration_error": Family("closeness", closeness.calibration_error, k="none", higher=False),
}
"""Every family by the name it has in text; `f_beta` is written with its beta: f1, f2, f0.5."""


@dataclass(frozen=True)
class Metric:
    """A name and a k, as a value: equal ones compare equal, and the text form reads back.

    A name that is not in `FAMILIES`, a k below 1, a k that is missing and one that means nothing raise `ConfigError`.

    >>> Metric("map", 12) == parse_metric("map@12")
    True
    >>> print(Metric("map", 12), Metric("f2"))
    map@12 f2
    """

    name: str
    k: int | None = None

    def __post_init__(self) -> None:
        if _key(self.name) not in FAMILIES or self.name == "f_beta":
            raise ConfigError(f"there is no metric {self.name!r}{nearest(self.name, _names())}")
        if self.k is None and self.family.k == "needed":
            raise ConfigError(f"{self.name!r} does not say how many places count: write it as '{self.name}@10'")
        if self.k is not None and self.family.k == "none":
            raise ConfigError(f"'{self.name}@{self.k}' judges no list, so no places count: write it as {self.name!r}")
        if self.k is not None and (not isinstance(self.k, int) or isinstance(self.k, bool) or self.k < 1):
            raise ConfigError(f"{self.name} of the first {self.k!r} places means nothing: k is a whole number from 1")

    def __str__(self) -> str:
        return self.name if self.k is None else f"{self.name}@{self.k}"

    @property
    def family(self) -> Family:
        """What it shares with the metrics of its name."""
        return FAMILIES[_key(self.name)]

    def of_hits(self, lists: Hits) -> Values:
        """The value for each user, `(U,)`, from 0 to 1; only for a metric of accuracy."""
        beta = _F_BETA.fullmatch(self.name)
        further = (self.k,) if beta is None else (self.k, float(beta[1]))
        values_U = np.empty(len(lists))
        for start in range(0, len(lists), _ROWS):
            rows = slice(start, start + _ROWS)
            values_U[rows] = self.family.function(lists[rows], *further)
        return values_U


def family_of(name: str) -> tuple[str, Family]:
    """The family that a name, with or without a k, belongs to, and its own name. No such name raises `ConfigError`."""
    key = _key(name.strip().lower().partition("@")[0])
    if key not in FAMILIES:
        raise ConfigError(f"there is no metric {name!r}{nearest(key, _names())}")
    return key, FAMILIES[key]


def written_form(key: str) -> str:
    """How a family is written: `map@k`, `recall[@k]` where the k may be missing, `rmse`."""
    name = "f1, f2, f0.5" if key == "f_beta" else key
    return name + {"needed": "@k", "free": "[@k]", "none": ""}[FAMILIES[key].k]


def parse_metric(text: str) -> Metric:
    """The metric that a text such as `"map@12"`, `"f2"` or `"rmse"` names.

    An unknown name, a missing k and a k that is no whole number from 1 raise `ConfigError`.
    """
    name, at, k = text.strip().lower().partition("@")
    if _key(name) not in FAMILIES or name == "f_beta":
        raise ConfigError(f"there is no metric {text!r}{nearest(name, _names())}")
    if at and not re.fullmatch("[0-9]+", k):
        raise ConfigError(f"{text!r} does not say how many places count: write it as '{name}@10'")
    return Metric(name, int(k) if at else None)


def metrics_of(metrics: Iterable[str | Metric]) -> list[Metric]:
    """The metrics in the order given, each once; texts are parsed.

    No metric at all, and metrics of lists beside those of predicted numbers, raise `ConfigError`.
    """
    if isinstance(metrics, str):
        metrics = [metrics]
    chosen = list(dict.fromkeys(m if isinstance(m, Metric) else parse_metric(m) for m in metrics))
    if not chosen:
        raise ConfigError("there is no metric to judge by: name at least one, such as 'map@12'")
    numbers = [metric for metric in chosen if metric.family.kind == "closeness"]
    if numbers and len(numbers) < len(chosen):
        other = next(metric for metric in chosen if metric not in numbers)
        raise ConfigError(f"{numbers[0]} judges predicted numbers and {other} lists: judge the two apart")
    return chosen


def of_numbers(metrics: Iterable[Metric]) -> bool:
    """Whether the metrics judge predicted numbers rather than lists."""
    return any(metric.family.kind == "closeness" for metric in metrics)


def depth(metrics: Iterable[Metric]) -> int | None:
    """How many places of a list the metrics look at; None where one looks at all of them."""
    places = [metric.k for metric in metrics]
    return None if None in places else max(place for place in places if place is not None)


def _key(name: str) -> str:
    return "f_beta" if _F_BETA.fullmatch(name) else name


def _names() -> list[str]:
    return [*(name for name in FAMILIES if name != "f_beta"), "f1", "f2", "f0.5"]
