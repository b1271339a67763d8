"""Logistic regression: the log-odds of a hit as a line through scores, for a few scores and many lists.

Source: Platt, "Probabilistic outputs for support vector machines", 1999; by Newton's method.

Shapes: N candidates, F scores of each.
"""

import numpy as np

FURTHEST = 30.0
"""Log-odds beyond which a score says no more."""


def fit(score_NF: np.ndarray, hit_N: np.ndarray) -> np.ndarray:
    """The slopes and, last, the intercept (float64, F + 1).

    As Platt has it, a hit counts (H + 1) / (H + 2) and a miss 1 / (M + 2): what separates perfectly has an end too.
    """
    count, (rows, scores) = float(hit_N.sum()), score_NF.shape
    target_N = np.where(hit_N > 0, (count + 1) / (count + 2), 1 / (rows - count + 2))
    shift_F, spread_F = score_NF.mean(axis=0), score_NF.std(axis=0)
    spread_F = np.where(spread_F > 0, spread_F, 1.0)
    x = np.vstack([((score_NF - shift_F) / spread_F).T, np.ones(rows)])
    weights = np.append(np.zeros(scores), np.log((count + 1) / (rows - count + 1)))
    for _ in range(100):
        p_N = probability(weights @ x)
        slope = x @ (p_N - target_N)
        curve = (x * (p_N * (1 - p_N))) @ x.T + 1e-9 * np.eye(scores + 1)
        step = np.linalg.solve(curve, slope)
        longest = np.abs(step).max()
        weights = weights - step * min(1.0, 2.0 / max(longest, 1e-12))
        if longest < 1e-9:
            break
    slope_F = weights[:-1] / spread_F
    return np.append(slope_F, weights[-1] - float(slope_F @ shift_F))


def odds(score_NF: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The log-odds (N) of candidates by what was fitted."""
    found: np.ndarray = score_NF @ weights[:-1] + weights[-1]
    return found


def probability(log_odds: np.ndarray) -> np.ndarray:
    """The chance that goes with log-odds."""
    sigmoid: np.ndarray = 1 / (1 + np.exp(-np.clip(log_odds, -FURTHEST, FURTHEST)))
    return sigmoid


def loss(log_odds: np.ndarray, hit_N: np.ndarray) -> float:
    """The mean log loss."""
    signed = np.clip(np.where(hit_N > 0, -log_odds, log_odds), -FURTHEST, FURTHEST)
    return float(np.log1p(np.exp(signed)).mean())
