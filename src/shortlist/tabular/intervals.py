"""Intervals: how far from what is expected the truth was, on rows that were held out, among those of a like answer.

Source: split conformal prediction by groups (Vovk, "Conditional validity of inductive conformal predictors", Machine
Learning 2013), the groups being ranges of the answer, each side for itself.

Shapes: N rows, G groups.
"""

from dataclasses import dataclass

import numpy as np

GROUPS = 20
"""Ranges of the answer, of equally many rows."""
ROWS = 100
"""Rows that a range needs."""


@dataclass(frozen=True)
class Intervals:
    """The upper ends of all ranges but the last (G - 1), and how far `below` and `above` an answer the truth is (G)."""

    ends: np.ndarray
    below: np.ndarray
    above: np.ndarray

    @classmethod
    def fit(cls, answer_N: np.ndarray, truth_N: np.ndarray, level: float) -> "Intervals":
        """That hold the truth in a share `level` of the rows of each range."""
        groups = int(np.clip(len(answer_N) // ROWS, 1, GROUPS))
        ends = np.unique(np.quantile(answer_N, np.arange(1, groups) / groups))
        group_N = np.searchsorted(ends, answer_N)
        below, above = np.zeros(len(ends) + 1), np.zeros(len(ends) + 1)
        for group in range(len(ends) + 1):
            away = np.sort((truth_N - answer_N)[group_N == group])
            if not len(away):
                continue
            # Of n rows the truth of one more lies beyond the k-th largest in k of n + 1 cases.
            beyond = int(np.floor((1 - level) / 2 * (len(away) + 1)))
            below[group] = away[max(beyond - 1, 0)]
            above[group] = away[min(len(away) - beyond, len(away) - 1)]
        return cls(ends, below, above)

    @classmethod
    def beyond(cls, low_N: np.ndarray, high_N: np.ndarray, truth_N: np.ndarray, level: float) -> "Intervals":
        """What ends that were learnt are moved by, alike for all rows, so that they hold the truth in a share `level`.

        Source: Romano, Patterson, Candès, "Conformalized Quantile Regression", NeurIPS 2019.
        """
        out = np.sort(np.maximum(low_N - truth_N, truth_N - high_N))
        moved = out[min(int(np.ceil(level * (len(out) + 1))), len(out)) - 1]
        return cls(np.zeros(0), np.array([-moved]), np.array([moved]))

    def of(self, answer_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The lower and upper ends around answers."""
        group_N = np.searchsorted(self.ends, answer_N)
        return answer_N + self.below[group_N], answer_N + self.above[group_N]
