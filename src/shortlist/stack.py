"""Stack: several predictors as one, weighed by how they did on what they had not seen.

expected(u, i) = c + Σ_m w_m · expected_m(u, i): ridge regression of the ratings on what each model, fitted without a
fold, expects of it. The penalty pulls the weights towards equal shares, so that models which say the same share what
either would have alone, and few ratings leave the mean of the models.
Source: Wolpert, "Stacked Generalization", Neural Networks 1992; ridge as in Breiman, "Stacked Regressions", 1996.
Differs: towards equal shares, not zero.
Cost: every model is fitted once for each fold.

Shapes: N pairs, M models.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shortlist.models.prediction import Predicted

PENALTY = 1.0
"""Of a weight's distance from an equal share, in squared standard deviations of the ratings."""


@dataclass(frozen=True)
class Stack:
    """The models' `weights` (M,), the `intercept`, and how many times their deviation the stack's is, `spread`."""

    weights: np.ndarray
    intercept: float
    spread: float

    @classmethod
    def equal(cls, models: int) -> "Stack":
        """The mean of so many models."""
        return cls(np.full(models, 1 / models), 0.0, 1.0)

    @classmethod
    def fit(cls, told: Sequence[Predicted], truth_N: np.ndarray) -> "Stack":
        """Weigh models by what they said of pairs that they had not seen, and what was true."""
        x_NM = np.column_stack([one.expected for one in told])
        mean_M, mean = x_NM.mean(axis=0), float(truth_N.mean())
        equal_M = np.full(x_NM.shape[1], 1 / x_NM.shape[1])
        apart_NM = x_NM - mean_M
        left_N = truth_N - mean - apart_NM @ equal_M
        gram_MM = apart_NM.T @ apart_NM
        gram_MM[np.diag_indices_from(gram_MM)] += PENALTY * max(float(truth_N.var()), 1e-12)
        weights = equal_M + np.linalg.solve(gram_MM, apart_NM.T @ left_N)
        found = cls(weights, mean - float(mean_M @ weights), 1.0)
        together = found.predict(told)
        if together.deviation is None:
            return found
        spread = np.sqrt(np.mean(((truth_N - together.expected) / together.deviation) ** 2))
        return cls(weights, found.intercept, float(spread))

    def predict(self, told: Sequence[Predicted]) -> Predicted:
        """What the models said, as one; a deviation is the mean of those that know one."""
        expected = self.intercept + sum(w * one.expected for w, one in zip(self.weights, told, strict=True))
        known = [one.deviation for one in told if one.deviation is not None]
        return Predicted(np.asarray(expected), self.spread * np.mean(known, axis=0) if known else None)
