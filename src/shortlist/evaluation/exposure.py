"""Exposure: the metrics of what is shown, whoever takes it: how known, how new, how alike, how much of the catalogue.

They read, beside the lists, what is known of the items before the test: how many of the users in the `history` had
each, and which labels each has. Lists shorter than k are judged by what they hold; a user without a list has 0 in all
of them.

Shapes: U users judged, K places of a list, I items shown, L labels, N places that are filled.
"""

import numpy as np
import numpy.typing as npt
from scipy import sparse

Values = npt.NDArray[np.float64]
Places = npt.NDArray[np.bool_]


def novelty(shares_UK: Values, users_of_history: int) -> Values:
    """How unlikely a user is to know the items shown: the mean of their self-information, in bits.

    novelty@k = mean over the first k places of -log2(users in the history who had the item / users in the history).
    An item that nobody had counts as had by one user. An empty place (NaN) does not count; an empty list has 0.
    Source: T. Zhou et al., "Solving the Apparent Diversity-Accuracy Dilemma of Recommender Systems", PNAS 2010
    (surprisal, averaged over the list).
    """
    return _mean_of_filled(-np.log2(np.maximum(shares_UK, 1 / users_of_history)))


def popularity_bias(shares_UK: Values) -> Values:
    """How many of the users in the history had the items shown, as a mean share.

    popularity_bias@k = mean over the first k places of (users in the history who had the item / users in the history).
    Of lists of the most popular items it is the highest. An empty place (NaN) does not count; an empty list has 0.
    Source: H. Yin et al., "Challenging the Long Tail Recommendation", VLDB 2012 (average recommendation popularity),
    as a share.
    """
    return _mean_of_filled(shares_UK)


def serendipity(hits_UK: Places, usual_UK: Places, k: int) -> Values:
    """The share of the k places that hold a true item which a list of the most popular would not have shown.

    serendipity@k = hits in the first k that are not among the k most popular items of the history / k.
    Popular: had by most users of the history; of equal ones the smaller id. At most precision@k.
    Source: M. Ge, C. Delgado-Battenfeld, D. Jannach, "Beyond Accuracy", RecSys 2010, with popularity as the primitive
    recommender.
    """
    welcome_U: npt.NDArray[np.int64] = np.count_nonzero((hits_UK & ~usual_UK)[:, :k], axis=1)
    return welcome_U / k


def diversity(lists_UI: sparse.csr_array, labels_IL: sparse.csr_array) -> Values:
    """How unlike each other the items of a list are: the mean over its pairs of one minus their cosine.

    diversity@k = 1 - mean over pairs i < j of the first k places of cos(v_i, v_j), v_i the 0/1 vector of labels of i.
    `lists_UI` has a 1 for each item shown; `labels_IL` has rows of length 1, or of length 0 for an item without labels,
    which is unlike all others. A list of fewer than two items has 0.
    Source: C.-N. Ziegler et al., "Improving Recommendation Lists Through Topic Diversification", WWW 2005.
    Cost: no pair is looked at, for the sum over pairs is (|Σ v|² - Σ |v|²) / 2.
    """
    lengths_U = np.asarray(lists_UI.sum(axis=1), dtype=np.float64)
    sums_UL = lists_UI @ labels_IL
    squares_I = np.asarray(labels_IL.multiply(labels_IL).sum(axis=1))
    alike_U = np.asarray(sums_UL.multiply(sums_UL).sum(axis=1)) - lists_UI @ squares_I
    pairs_U = lengths_U * (lengths_U - 1)
    diversity_U: Values = np.where(pairs_U > 0, 1 - alike_U / np.maximum(pairs_U, 1), 0.0)
    return diversity_U


def coverage(shown_I: npt.NDArray[np.int64], catalogue: int) -> float:
    """The share of the catalogue that the first k places of all lists show together.

    coverage@k = |distinct items in the first k places of any list| / |catalogue|. Every list counts, also
    that of a user without truth. It is one number of all lists, not a mean over users: no user has a value,
    and a bootstrap over users gives no interval (a draw repeats users, and a list shown twice shows nothing
    new, so every draw would lie below the value). `shown_I` says how often each item that is shown is.
    Source: M. Ge, C. Delgado-Battenfeld, D. Jannach, "Beyond Accuracy", RecSys 2010 (catalogue coverage).
    """
    return len(shown_I) / catalogue


def gini(shown_I: npt.NDArray[np.int64], catalogue: int) -> float:
    """How unequally the places are shared out among the items: 0 where all are shown alike, near 1 where one has all.

    gini@k = Σ over items by rising n of (2 · i - |catalogue| - 1) · n_i / (|catalogue| · Σ n), n_i how often the i-th
    is in the first k places of any list. Items that are never shown count, with n = 0. One number of all lists, as
    `coverage` is. No list at all has 0.
    Source: D. Fleder and K. Hosanagar, "Blockbuster Culture's Next Rise or Fall", Management Science 2009.
    """
    places = catalogue - len(shown_I) + np.arange(1, len(shown_I) + 1)
    total = catalogue * shown_I.sum()
    return float(((2 * places - catalogue - 1) * np.sort(shown_I)).sum() / total) if total else 0.0


def _mean_of_filled(values_UK: Values) -> Values:
    filled_UK = ~np.isnan(values_UK)
    sums_U: Values = np.sum(values_UK, axis=1, where=filled_UK)
    filled_U: npt.NDArray[np.int64] = np.count_nonzero(filled_UK, axis=1)
    return sums_U / np.maximum(filled_U, 1)
