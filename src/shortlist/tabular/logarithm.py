"""Numbers as they are looked at: log(1 + number) where they are never below zero (`counts`), else as they are."""

import numpy as np


def to_log(number_N: np.ndarray, counts: bool) -> np.ndarray:
    """A number as it is looked at."""
    found_N: np.ndarray = np.log1p(np.maximum(number_N, 0)) if counts else number_N
    return found_N


def from_log(log_N: np.ndarray, counts: bool) -> np.ndarray:
    """The number again, not below zero where it counts."""
    found_N: np.ndarray = np.maximum(np.expm1(log_N), 0) if counts else log_N
    return found_N
