"""Logistic regression of few scores."""

import numpy as np
import pytest
from scipy.optimize import minimize

from shortlist.ranking import logistic


@pytest.mark.parametrize("scores", [1, 2, 3])
def test_the_line_is_where_a_general_method_finds_it(scores: int) -> None:
    random = np.random.default_rng(scores)
    x = random.normal(size=(400, scores)) * np.array([1.0, 50.0, 0.02])[:scores] + 3
    hits = (random.random(400) < 1 / (1 + np.exp(-((x - 3) / np.array([1.0, 50.0, 0.02])[:scores]).sum(axis=1)))) * 1
    target = np.where(hits, (hits.sum() + 1) / (hits.sum() + 2), 1 / (400 - hits.sum() + 2))
    shift, spread = x.mean(axis=0), x.std(axis=0)

    def loss(weights: np.ndarray) -> float:
        odds = (x - shift) / spread @ weights[:-1] + weights[-1]
        return float(np.logaddexp(0, odds).sum() - target @ odds)

    slow = minimize(loss, np.zeros(scores + 1), method="BFGS", options={"gtol": 1e-7}).x
    found = logistic.fit(x, hits)
    assert logistic.odds(x, found) == pytest.approx((x - shift) / spread @ slow[:-1] + slow[-1], abs=1e-3)
    told = logistic.loss(logistic.odds(x, found), hits)
    chance = logistic.probability(logistic.odds(x, found))
    assert told == pytest.approx(-np.log(np.where(hits > 0, chance, 1 - chance)).mean())


def test_what_separates_perfectly_and_what_says_nothing_have_an_end() -> None:
    found = logistic.fit(np.array([[0.0], [0.0], [1.0], [1.0]]), np.array([0, 0, 1, 1]))
    assert logistic.probability(logistic.odds(np.array([[0.0], [1.0]]), found)) == pytest.approx([0.25, 0.75], abs=1e-6)
    same = logistic.fit(np.ones((5, 1)), np.array([1, 0, 0, 0, 0]))
    assert logistic.probability(logistic.odds(np.ones((1, 1)), same))[0] == pytest.approx((2 / 3 + 4 / 6) / 5)
