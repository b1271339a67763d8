"""One seed in, named independent random streams out."""

import hashlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Seeds:
    """Deals out one seed by name, so that adding a consumer never changes the draws of another.

    >>> Seeds(7).number("ranker") == Seeds(7).number("ranker") != Seeds(7).number("negatives")
    True
    """

    seed: int = 0

    def number(self, name: str) -> int:
        """A whole number from 0 to 2³¹ - 1 that depends on the seed and the name alone."""
        digest = hashlib.sha256(f"{self.seed}:{name}".encode()).digest()
        return int.from_bytes(digest[:4], "big") >> 1

    def generator(self, name: str) -> np.random.Generator:
        """A NumPy generator of its own for each name."""
        return np.random.default_rng(self.number(name))
