"""Scale: numbers of a row brought to one size, whatever they count, and what is missing told apart.

Shapes: N rows, D numbers.
"""

from dataclasses import dataclass

import numpy as np

from shortlist.kernels import linear

REACH = 5.0
"""How many widths from the middle a number counts at most."""


@dataclass(frozen=True)
class Scale:
    """How numbers are brought to one size: the middle of each (D), and the width of its middle half (D)."""

    middle_D: np.ndarray
    width_D: np.ndarray

    @classmethod
    def of(cls, number_ND: np.ndarray) -> "Scale":
        """That of these numbers; what is missing is passed over."""
        number_ND = np.where(np.isfinite(number_ND), number_ND, np.nan)
        some = np.isfinite(number_ND).any(axis=0)
        low, middle, high = (np.zeros(number_ND.shape[1]) for _ in range(3))
        spread = np.zeros(number_ND.shape[1])
        if some.any():
            low[some], middle[some], high[some] = np.nanquantile(number_ND[:, some], (0.25, 0.5, 0.75), axis=0)
            spread[some] = np.nanstd(number_ND[:, some], axis=0)
        return cls(middle, np.where(high > low, high - low, np.where(spread > 0, spread, 1.0)))

    def __call__(self, number_ND: np.ndarray) -> np.ndarray:
        """The numbers (float32, N × 2 D): as widths from the middle, 0 where missing; and 1 where missing, else 0."""
        found = np.empty((len(number_ND), 2 * len(self.middle_D)), np.float32)
        linear.scaled(number_ND, self.middle_D, self.width_D, REACH, found)
        return found
