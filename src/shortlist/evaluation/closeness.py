"""Closeness: the metrics of predicted numbers, each as means of a few terms of every row.

A metric gives `Terms`: a row of numbers for each prediction, and how the metric follows from their means. So a
bootstrap draws rows, or users with all their rows, and never looks at a prediction twice: the means of all draws are
one matrix product, as for lists.

Shapes: N rows predicted, S terms.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shortlist.errors import DataError

Values = npt.NDArray[np.float64]

BINS = 10
"""Bins of the calibration error, of equally many rows each."""


@dataclass(frozen=True, eq=False)
class Terms:
    """The terms of each row, `(N, S)`, and the metric as a function of their means, `(..., S)` to `(...)`."""

    values: Values
    of: Callable[[Values], Values]


def mse(true_N: Values, predicted_N: Values) -> Terms:
    """The mean of the squared errors.

    mse = mean of (p - y)².
    """
    return Terms(np.square(predicted_N - true_N)[:, None], _alone)


def rmse(true_N: Values, predicted_N: Values) -> Terms:
    """The root of the mean of the squared errors, in the unit of what is predicted.

    rmse = √ mean of (p - y)², over all rows, not first within each user.
    """
    return Terms(np.square(predicted_N - true_N)[:, None], lambda means: np.sqrt(means[..., 0]))


def mae(true_N: Values, predicted_N: Values) -> Terms:
    """The mean of the errors' sizes, in the unit of what is predicted.

    mae = mean of |p - y|.
    """
    return Terms(np.abs(predicted_N - true_N)[:, None], _alone)


def rmsle(true_N: Values, predicted_N: Values) -> Terms:
    """The root of the mean of the squared errors of log(1 + number): for counts, where a factor matters.

    rmsle = √ mean of (log(1 + p) - log(1 + y))². A prediction below 0 is taken as 0; a truth below 0 raises
    `DataError`.
    Source: as in scikit-learn, which refuses numbers of -1 and below on either side.
    """
    if true_N.size and true_N.min() < 0:
        raise DataError(f"rmsle is for counts, and the truth has {true_N.min():g}: use rmse or mae")
    errors_N = np.log1p(np.maximum(predicted_N, 0)) - np.log1p(true_N)
    return Terms(np.square(errors_N)[:, None], lambda means: np.sqrt(means[..., 0]))


def r2(true_N: Values, predicted_N: Values) -> Terms:
    """The share of the truth's variance that the predictions explain; below 0 where its mean would be better.

    r2 = 1 - Σ (p - y)² / Σ (y - ȳ)², ȳ the mean of the truth that is judged. Where the truth is constant: 1 if every
    prediction is right, else 0.
    Source: as in scikit-learn.
    """
    # The variance does not change with the origin, and is more exact about the mean.
    centred_N = true_N - true_N.mean()
    values_NS = np.column_stack([np.square(predicted_N - true_N), centred_N, np.square(centred_N)])

    def of(means: Values) -> Values:
        unexplained, variance = means[..., 0], means[..., 2] - np.square(means[..., 1])
        constant = variance <= 0
        found = 1 - unexplained / np.where(constant, 1, variance)
        return np.where(constant, np.where(unexplained == 0, 1.0, 0.0), found)

    return Terms(values_NS, of)


def spearman(true_N: Values, predicted_N: Values) -> Terms:
    """How alike predictions and truth are ordered: the correlation of their ranks, from -1 to 1.

    spearman = Pearson's correlation of the ranks; equal numbers share the mean of their ranks. Where either side is
    constant it is 0: an order of nothing tells nothing.
    Interval: ranks depend on all rows, so a row's term is the correlation plus the row's influence on it (the first
    order of what drawing the row more often does); their mean is the correlation itself.
    Source: C. Spearman, "The Proof and Measurement of Association between Two Things", 1904; the influence as of a
    U-statistic, W. Hoeffding, "A Class of Statistics with Asymptotically Normal Distribution", 1948.
    """
    order_N, other_N = _centred_ranks(predicted_N), _centred_ranks(true_N)
    covariance, variance, other_variance = (
        float((a * b).mean()) for a, b in ((order_N, other_N), (order_N, order_N), (other_N, other_N))
    )
    if variance == 0 or other_variance == 0:
        return Terms(np.zeros((len(true_N), 1)), _alone)
    found = covariance / np.sqrt(variance * other_variance)
    covariances_N = (
        order_N * other_N - covariance + _moved(predicted_N, order_N, other_N) + _moved(true_N, other_N, order_N)
    )
    variances_N = np.square(order_N) - variance + 2 * _moved(predicted_N, order_N, order_N)
    other_variances_N = np.square(other_N) - other_variance + 2 * _moved(true_N, other_N, other_N)
    influence_N = covariances_N / np.sqrt(variance * other_variance) - found / 2 * (
        variances_N / variance + other_variances_N / other_variance
    )
    return Terms((found + influence_N)[:, None], _alone)


def calibration_error(true_N: Values, predicted_N: Values) -> Terms:
    """How far the predictions are from what they promise, in the unit of what is predicted.

    calibration_error = Σ over 10 bins of (rows in the bin / rows) · |mean of p - mean of y in the bin|. The bins hold
    equally many rows, in the order of the predictions; equal predictions share one. Chance alone moves it up: it is
    above 0 for perfect predictions of few rows.
    Source: M. Naeini, G. Cooper, M. Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian Binning", AAAI
    2015 (expected calibration error), with bins of equal count.
    """
    values_NS = np.zeros((len(true_N), BINS))
    values_NS[np.arange(len(true_N)), bins_of(predicted_N)] = predicted_N - true_N
    return Terms(values_NS, lambda means: np.abs(means).sum(axis=-1))


def bins_of(predicted_N: Values, bins: int = BINS) -> npt.NDArray[np.int64]:
    """The bin of each prediction, `(N,)`: equally many in each, in order; equal predictions share one."""
    return np.minimum((_ranks(predicted_N) - 0.5) / len(predicted_N) * bins, bins - 1).astype(np.int64)


def _alone(means: Values) -> Values:
    return means[..., 0]


def _ranks(values_N: Values) -> Values:
    """The rank of each value, from 1; equal ones share the mean of their ranks."""
    _, place_N, counts = np.unique(values_N, return_inverse=True, return_counts=True)
    ranks_N: Values = (counts.cumsum() - (counts - 1) / 2)[place_N]
    return ranks_N


def _centred_ranks(values_N: Values) -> Values:
    """The mid-distribution of each value less a half: its rank as a share of the rows, from -1/2 to 1/2."""
    return (_ranks(values_N) - 0.5) / len(values_N) - 0.5


def _moved(values_N: Values, ranks_N: Values, weights_N: Values) -> Values:
    """What one more row of each value does to the others' ranks, weighed: mean over j of (h(i, j) - F_j) · w_j.

    h(i, j) = 1 where the value of i is below that of j, a half where they are equal; F_j is the rank of j as a share.
    """
    _, place_N = np.unique(values_N, return_inverse=True)
    sums = np.bincount(place_N, weights=weights_N)
    above = sums[::-1].cumsum()[::-1] - sums
    moved_N: Values = ((above + sums / 2)[place_N] - ((ranks_N + 0.5) * weights_N).sum()) / len(values_N)
    return moved_N
