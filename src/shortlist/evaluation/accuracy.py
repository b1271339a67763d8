"""Accuracy: the metrics of a list by its hits, each a pure function of arrays.

Each gives one number from 0 to 1 for each user; the value of the metric is the mean over the judged users. The choices
that hold for all: relevance is binary; a judged user without a list scores 0; places beyond k do not count; a list
shorter than k is not refilled; there are no ties, for a list has an order (its `rank`). Without a k (`f2`, `precision`,
`recall`) the whole list counts, as a set of any size.

Shapes: U users judged, K places of a list.
"""

import numpy as np
import numpy.typing as npt

from shortlist.evaluation.hits import Hits

Values = npt.NDArray[np.float64]


def hit_rate(lists: Hits, k: int) -> Values:
    """1 where the first k places hold a true item, else 0.

    hit_rate@k = [hits in the first k > 0].
    Source: M. Deshpande and G. Karypis, "Item-Based Top-N Recommendation Algorithms", TOIS 2004 (one true
    item each).
    """
    hit_U: npt.NDArray[np.bool_] = np.any(lists.hits[:, :k], axis=1)
    return hit_U.astype(np.float64)


def precision(lists: Hits, k: int | None) -> Values:
    """The share of the k places that hold a true item; without a k, the share of the list that is true.

    precision@k = hits in the first k / k;  precision = hits / |S|, 0 where the list is empty.
    Division: by k, also where list or truth is shorter: with fewer than k true items, 1 is out of reach.
    Source: C. Manning, P. Raghavan, H. Schütze, "Introduction to Information Retrieval", 2008, section 8.4.
    """
    return lists.counts(k) / (np.maximum(lists.lengths, 1) if k is None else k)


def recall(lists: Hits, k: int | None) -> Values:
    """The share of the true items that the first k places hold; without a k, that the list holds.

    recall@k = hits in the first k / |T|.
    Division: by |T|, not by min(k, |T|); with more than k true items, 1 is out of reach.
    Source: Manning, Raghavan, Schütze 2008, section 8.3, cut at k.
    """
    return lists.counts(k) / lists.truth_sizes


def f_beta(lists: Hits, k: int | None, beta: float) -> Values:
    """Precision and recall of the set that is shown in one number; recall counts beta times as much.

    f2 = (1 + β²) · hits / (β² · |T| + |S|), β = 2, which is (1 + β²) · P · R / (β² · P + R) with P = hits / |S| and
    R = hits / |T|. Written f1, f2, f0.5, ...; f2@k looks at the first k places, of which |S| are filled.
    Division: |S| is what is shown, not k, so that a short list is not held to be a long one with misses.
    Source: C. van Rijsbergen, "Information Retrieval", 1979, chapter 7; f2 over whole sets as in "Learning
    Equality - Curriculum Recommendations", Kaggle 2022.
    """
    weight = beta * beta
    return (1 + weight) * lists.counts(k) / (weight * lists.truth_sizes + lists.shown(k))


def reciprocal_rank(lists: Hits, k: int) -> Values:
    """One over the place of the first true item; 0 where the first k places hold none.

    mrr@k = 1 / min {r <= k : hit at r}.
    Source: E. Voorhees, "The TREC-8 Question Answering Track Report", 1999.
    """
    hits_UK = lists.hits[:, :k]
    return np.where(hits_UK.any(axis=1), 1.0 / (hits_UK.argmax(axis=1) + 1), 0.0)


def average_precision(lists: Hits, k: int) -> Values:
    """The mean, over the true items within reach, of the precision at the place of each; a missed one adds 0.

    map@k = 1 / min(k, |T|) · Σ over r <= k of [hit at r] · (hits in the first r) / r.
    Division: by min(k, |T|), so that every user can reach 1; not by |T|, not by the number of hits.
    Source: Manning, Raghavan, Schütze 2008, section 8.4, cut at k as in the MAP@12 of "H&M Personalized
    Fashion Recommendations", Kaggle 2022.
    """
    shown_UK = lists.hits[:, :k]
    ranks_K = np.arange(1, shown_UK.shape[1] + 1)
    precision_UK = np.cumsum(shown_UK, axis=1, dtype=np.int32) / ranks_K
    totals_U: Values = np.sum(precision_UK, axis=1, where=shown_UK)
    return totals_U / np.minimum(k, lists.truth_sizes)


def normalised_gain(lists: Hits, k: int) -> Values:
    """The discounted number of hits, as a share of what the best order would reach.

    ndcg@k = Σ over r <= k of [hit at r] / log2(r + 1), divided by Σ over r <= min(k, |T|) of 1 / log2(r + 1).
    Gain: 1. Discount: log2(r + 1). Ideal: min(k, |T|) hits at the top, also where the list is shorter.
    Source: K. Järvelin and J. Kekäläinen, "Cumulated Gain-Based Evaluation of IR Techniques", TOIS 2002, with
    the discount of C. Burges et al., "Learning to Rank Using Gradient Descent", ICML 2005.
    """
    discounts_K = 1.0 / np.log2(np.arange(2, k + 2))
    shown_UK = lists.hits[:, :k]
    gains_U: Values = shown_UK @ discounts_K[: shown_UK.shape[1]]
    ideals_U: Values = np.cumsum(discounts_K)[np.minimum(k, lists.truth_sizes) - 1]
    return gains_U / ideals_U
