"""Losses against their definitions, the slow way."""

import math

import pytest
import torch

from shortlist.training import losses

MET = torch.tensor([1.0, -0.5])
OTHERS = torch.tensor([[0.5, 2.0, -1.0], [0.0, 0.25, 1.5]])
WEIGHTS = torch.tensor([1.0, 3.0])


def test_squared() -> None:
    assert losses.squared(MET, torch.tensor([0.0, 0.5])).item() == pytest.approx((1 + 1) / 2)


def test_bpr_is_the_weighed_mean_over_pairs() -> None:
    def one(met: float, other: float) -> float:
        return -math.log(1 / (1 + math.exp(-(met - other))))

    rows = [
        sum(one(met, other) for other in others) / 3 for met, others in zip(MET.tolist(), OTHERS.tolist(), strict=True)
    ]
    assert losses.bpr(MET, OTHERS, WEIGHTS).item() == pytest.approx((rows[0] + 3 * rows[1]) / 4)


def test_sampled_softmax_of_all_others_is_softmax() -> None:
    """With every other item once and chances alike, it is the softmax over all items."""
    rows = []
    for met, others in zip(MET.tolist(), OTHERS.tolist(), strict=True):
        rows.append(-math.log(math.exp(met) / (math.exp(met) + sum(map(math.exp, others)))))
    assert losses.sampled_softmax(MET, OTHERS, WEIGHTS).item() == pytest.approx((rows[0] + 3 * rows[1]) / 4)
