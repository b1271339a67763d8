"""Whether a difference could be chance: the paired permutation test, Holm's correction, what a test set can detect.

If two models were equally good, it would not matter which of the two a user's values came from. A permutation swaps
them for each user with chance one half; p is the share of permutations whose difference is at least as large, in either
direction, as the one that was found (itself counted in, so that p is never 0). A user whose two values are equal
changes nothing by being swapped and is left out; the others stand in blocks, so that memory stays bounded.

Source: R. Fisher, "The Design of Experiments", 1935; for retrieval M. Smucker, J. Allan, B. Carterette, "A Comparison
of Statistical Significance Tests for Information Retrieval Evaluation", CIKM 2007.

Shapes: U users, S terms, P permutations, B users of a block.
"""

from collections.abc import Callable, Sequence
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

LEVEL = 0.05
"""Chance of calling a difference real where there is none, for `detectable`."""
POWER = 0.8
"""Chance of finding a difference of the size that `detectable` tells."""

_BLOCK = 1 << 14
_PERMUTATIONS = 256
"""Permutations that are computed at once: 256 x 16,384 signs are 32 MB."""
_SAME = 1e-12
"""Differences that differ by rounding alone are the same."""


def permutation_p(
    model_US: Values,
    baseline_US: Values,
    of: Callable[[Values], Values],
    permutations: int,
    generator: np.random.Generator,
) -> float:
    """The two-sided p of the difference of a metric that is `of` the mean terms; a row is the same user in both."""
    together_S = (model_US.mean(axis=0) + baseline_US.mean(axis=0)) / 2
    swaps_PS = _swapped_means((model_US - baseline_US) / 2, permutations, generator)
    found = abs(of(model_US.mean(axis=0)) - of(baseline_US.mean(axis=0)))
    by_chance_P = np.abs(of(together_S + swaps_PS) - of(together_S - swaps_PS))
    return float((1 + np.count_nonzero(by_chance_P >= found * (1 - _SAME) - _SAME)) / (permutations + 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values corrected for there being several: the chance of any false alarm among them stays what it says.

    The smallest is multiplied by their number, the next by one less, and so on; none falls below the one before it,
    and none exceeds 1.
    Source: S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure", 1979.
    """
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[index]))
        corrected[index] = highest
    return corrected


def detectable(difference_D: Values) -> float:
    """The smallest true difference that this test set would show, from the bootstrap draws of the difference found.

    (z(1 - LEVEL / 2) + z(POWER)) · standard error: a paired two-sided test at the 5 % level finds a true difference of
    this size with a chance of 80 %. Differences smaller than it need more users.
    Source: J. Cohen, "Statistical Power Analysis for the Behavioral Sciences", 1988.
    """
    quantile = NormalDist().inv_cdf
    return (quantile(1 - LEVEL / 2) + quantile(POWER)) * float(difference_D.std())


def _swapped_means(halves_US: Values, permutations: int, generator: np.random.Generator) -> Values:
    """The mean over users of their halves with a random sign each, `(P, S)`."""
    users = len(halves_US)
    halves_US = halves_US[halves_US.any(axis=1)]
    total_S = halves_US.sum(axis=0)
    sums_PS = np.zeros((permutations, halves_US.shape[1]))
    for start in range(0, len(halves_US), _BLOCK):
        block_BS = halves_US[start : start + _BLOCK]
        for first in range(0, permutations, _PERMUTATIONS):
            few = slice(first, first + _PERMUTATIONS)
            bits = generator.integers(0, 256, (len(sums_PS[few]), -(-len(block_BS) // 8)), dtype=np.uint8)
            kept_PB = np.unpackbits(bits, axis=1, count=len(block_BS))
            # A sign is twice a bit less one, so signs times halves is twice bits times halves less their sum.
            sums_PS[few] += 2 * (kept_PB.astype(np.float64) @ block_BS)
    means_PS: Values = (sums_PS - total_S) / users
    return means_PS
