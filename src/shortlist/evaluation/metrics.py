"""Metrics of ranked lists: values with a name, a k and a formula.

`parse_metric("map@12")` reads one, `str` writes it back. Each per-user family is a pure function of two
arrays:

    hits_UK         is the item at this place of this user's list a true one? The best place comes first, and
                    an empty one is a miss
    truth_sizes_U   |T|, how many true items the user has: at least 1, for a user without truth is not judged

and gives one number from 0 to 1 for each user; the value of the metric is the mean over the judged users. The
choices that hold for all: relevance is binary; a judged user without a list scores 0; places beyond k do not
count; a list shorter than k is not refilled; there are no ties, for a list has an order (its `rank`).

Shapes: U users judged, K places of a list.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from shortlist.errors import ConfigError, nearest

Hits = npt.NDArray[np.bool_]
Sizes = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]
PerUser = Callable[[Hits, Sizes, int], Values]

_ROWS = 1 << 14
"""Users that are computed at once, so that the floats in between stay small for any number of users."""


def hit_rate(hits_UK: Hits, _truth_sizes_U: Sizes, k: int) -> Values:
    """1 where the first k places hold a true item, else 0.

    hit_rate@k = [hits in the first k > 0].
    Source: M. Deshpande and G. Karypis, "Item-Based Top-N Recommendation Algorithms", TOIS 2004 (one true
    item each).
    """
    hit_U: npt.NDArray[np.bool_] = np.any(hits_UK[:, :k], axis=1)
    return hit_U.astype(np.float64)


def precision(hits_UK: Hits, _truth_sizes_U: Sizes, k: int) -> Values:
    """The share of the k places that hold a true item.

    precision@k = hits in the first k / k.
    Division: by k, also where list or truth is shorter: with fewer than k true items, 1 is out of reach.
    Source: C. Manning, P. Raghavan, H. Schütze, "Introduction to Information Retrieval", 2008, section 8.4.
    """
    return _hit_counts(hits_UK, k) / k


def recall(hits_UK: Hits, truth_sizes_U: Sizes, k: int) -> Values:
    """The share of the true items that the first k places hold.

    recall@k = hits in the first k / |T|.
    Division: by |T|, not by min(k, |T|); with more than k true items, 1 is out of reach.
    Source: Manning, Raghavan, Schütze 2008, section 8.3, cut at k.
    """
    return _hit_counts(hits_UK, k) / truth_sizes_U


def reciprocal_rank(hits_UK: Hits, _truth_sizes_U: Sizes, k: int) -> Values:
    """One over the place of the first true item; 0 where the first k places hold none.

    mrr@k = 1 / min {r <= k : hit at r}.
    Source: E. Voorhees, "The TREC-8 Question Answering Track Report", 1999.
    """
    first_U = hits_UK[:, :k].argmax(axis=1)
    return np.where(hits_UK[:, :k].any(axis=1), 1.0 / (first_U + 1), 0.0)


def average_precision(hits_UK: Hits, truth_sizes_U: Sizes, k: int) -> Values:
    """The mean, over the true items within reach, of the precision at the place of each; a missed one adds 0.

    map@k = 1 / min(k, |T|) · Σ over r <= k of [hit at r] · (hits in the first r) / r.
    Division: by min(k, |T|), so that every user can reach 1; not by |T|, not by the number of hits.
    Source: Manning, Raghavan, Schütze 2008, section 8.4, cut at k as in the MAP@12 of "H&M Personalized
    Fashion Recommendations", Kaggle 2022.
    """
    shown_UK = hits_UK[:, :k]
    ranks_K = np.arange(1, shown_UK.shape[1] + 1)
    precision_UK = np.cumsum(shown_UK, axis=1, dtype=np.int32) / ranks_K
    totals_U: Values = np.sum(precision_UK, axis=1, where=shown_UK)
    return totals_U / np.minimum(k, truth_sizes_U)


def normalised_gain(hits_UK: Hits, truth_sizes_U: Sizes, k: int) -> Values:
    """The discounted number of hits, as a share of what the best order would reach.

    ndcg@k = Σ over r <= k of [hit at r] / log2(r + 1), divided by Σ over r <= min(k, |T|) of 1 / log2(r + 1).
    Gain: 1. Discount: log2(r + 1). Ideal: min(k, |T|) hits at the top, also where the list is shorter.
    Source: K. Järvelin and J. Kekäläinen, "Cumulated Gain-Based Evaluation of IR Techniques", TOIS 2002, with
    the discount of C. Burges et al., "Learning to Rank Using Gradient Descent", ICML 2005.
    """
    discounts_K = 1.0 / np.log2(np.arange(2, k + 2))
    shown_UK = hits_UK[:, :k]
    gains_U: Values = shown_UK @ discounts_K[: shown_UK.shape[1]]
    ideals_U: Values = np.cumsum(discounts_K)[np.minimum(k, truth_sizes_U) - 1]
    return gains_U / ideals_U


def coverage(distinct_items: int, catalogue: int) -> float:
    """The share of the catalogue that the first k places of all lists show together.

    coverage@k = |distinct items in the first k places of any list| / |catalogue|. Every list counts, also
    that of a user without truth. It is one number of all lists, not a mean over users: no user has a value,
    and a bootstrap over users gives no interval (a draw repeats users, and a list shown twice shows nothing
    new, so every draw would lie below the value).
    Source: M. Ge, C. Delgado-Battenfeld, D. Jannach, "Beyond Accuracy", RecSys 2010 (catalogue coverage).
    """
    return distinct_items / catalogue


PER_USER: dict[str, PerUser] = {
    "hit_rate": hit_rate,
    "map": average_precision,
    "mrr": reciprocal_rank,
    "ndcg": normalised_gain,
    "precision": precision,
    "recall": recall,
}
"""The families that judge each user's list, by the name they have in text."""

OF_ALL_LISTS = {"coverage": coverage}
"""The families that judge all lists together."""

FAMILIES: dict[str, Callable[..., Any]] = {**PER_USER, **OF_ALL_LISTS}


@dataclass(frozen=True)
class Metric:
    """A family and its k, as a value: equal ones compare equal, and the text form reads back.

    A name that is not in `FAMILIES` and a k below 1 raise `ConfigError`.

    >>> Metric("map", 12) == parse_metric("map@12")
    True
    >>> print(Metric("map", 12))
    map@12
    """

    name: str
    k: int

    def __post_init__(self) -> None:
        if self.name not in FAMILIES:
            raise ConfigError(f"there is no metric {self.name!r}{nearest(self.name, FAMILIES)}")
        if not isinstance(self.k, int) or isinstance(self.k, bool) or self.k < 1:
            raise ConfigError(f"{self.name} of the first {self.k!r} places means nothing: k is a whole number from 1")

    def __str__(self) -> str:
        return f"{self.name}@{self.k}"

    @property
    def per_user(self) -> bool:
        """Whether it has a value for each user, and so an interval."""
        return self.name in PER_USER

    @property
    def definition(self) -> str:
        """What it is, its formula, its choices and its source, as text."""
        return FAMILIES[self.name].__doc__ or ""

    def values(self, hits_UK: Hits, truth_sizes_U: Sizes) -> Values:
        """The value for each user, `(U,)`, from 0 to 1; only for a metric that has one (`per_user`)."""
        family = PER_USER[self.name]
        values_U = np.empty(len(hits_UK))
        for start in range(0, len(hits_UK), _ROWS):
            rows = slice(start, start + _ROWS)
            values_U[rows] = family(hits_UK[rows], truth_sizes_U[rows], self.k)
        return values_U


def parse_metric(text: str) -> Metric:
    """The metric that a text such as `"map@12"` names.

    An unknown name, a missing k and a k that is no whole number from 1 raise `ConfigError`.
    """
    name, _, k = text.strip().lower().partition("@")
    if name not in FAMILIES:
        raise ConfigError(f"there is no metric {text!r}{nearest(name, FAMILIES)}")
    if not re.fullmatch("[0-9]+", k):
        raise ConfigError(f"{text!r} does not say how many places count: write it as '{name}@10'")
    return Metric(name, int(k))


def metrics_of(metrics: Iterable[str | Metric]) -> list[Metric]:
    """The metrics in the order given, each once; texts are parsed. No metric at all raises `ConfigError`."""
    if isinstance(metrics, str):
        metrics = [metrics]
    chosen = list(dict.fromkeys(m if isinstance(m, Metric) else parse_metric(m) for m in metrics))
    if not chosen:
        raise ConfigError("there is no metric to judge by: name at least one, such as 'map@12'")
    return chosen


def _hit_counts(hits_UK: Hits, k: int) -> npt.NDArray[np.int64]:
    counts_U: npt.NDArray[np.int64] = np.count_nonzero(hits_UK[:, :k], axis=1)
    return counts_U
