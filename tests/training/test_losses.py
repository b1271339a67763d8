"""Losses against their definitions, the slow way."""

import math
from typing import Literal

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


def test_infonce_leaves_out_what_belongs_to_a_row_too() -> None:
    """By hand, a row at a time: the first candidates belong to the rows, known ones are no misses."""
    random = torch.Generator().manual_seed(1)
    x_BD, y_CD = torch.randn(3, 4, generator=random), torch.randn(5, 4, generator=random)
    known_BC = torch.tensor([[1, 0, 0, 1, 0], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0]]).bool()
    rows = []
    for row in range(3):
        scores = [float(x_BD[row] @ y_CD[c]) / 0.5 for c in range(5)]
        among = [c for c in range(5) if c == row or not known_BC[row, c]]
        rows.append(-math.log(math.exp(scores[row]) / sum(math.exp(scores[c]) for c in among)))
    assert losses.infonce(x_BD, y_CD, known_BC, 0.5).item() == pytest.approx(sum(rows) / 3, rel=1e-5)


@pytest.mark.parametrize("of", ["cosine", "angle"])
def test_with_a_margin_what_belongs_to_a_row_must_win_by_so_much(of: Literal["cosine", "angle"]) -> None:
    """By hand, a row at a time; vectors have length one, and the first pair is the same vector twice."""
    random = torch.Generator().manual_seed(1)
    x_BD = torch.nn.functional.normalize(torch.randn(3, 4, generator=random), dim=1)
    y_CD = torch.cat([x_BD[:1], torch.nn.functional.normalize(torch.randn(3, 4, generator=random), dim=1)])
    rows = []
    for row in range(3):
        cosines = [min(1.0, float(x_BD[row] @ y_CD[c])) for c in range(4)]
        own = cosines[row] - 0.2 if of == "cosine" else math.cos(min(math.acos(cosines[row]) + 0.2, math.pi))
        scores = [(own if c == row else cosines[c]) / 0.5 for c in range(4)]
        rows.append(-math.log(math.exp(scores[row]) / sum(math.exp(score) for score in scores)))
    x_BD.requires_grad_()
    found = losses.infonce(x_BD, y_CD, torch.zeros(3, 4).bool(), 0.5, 0.2, of)
    assert found.item() == pytest.approx(sum(rows) / 3, rel=1e-3)
    found.backward()
    assert x_BD.grad is not None
    assert x_BD.grad.isfinite().all()


def sigmoid(score: float) -> float:
    return 1 / (1 + math.exp(-score))


def test_bce_is_the_mean_over_what_was_met_and_the_others() -> None:
    rows = []
    for met, others in zip(MET.tolist(), OTHERS.tolist(), strict=True):
        rows.append(-(math.log(sigmoid(met)) + sum(math.log(1 - sigmoid(other)) for other in others)) / 4)
    assert losses.bce(MET, OTHERS, WEIGHTS).item() == pytest.approx((rows[0] + 3 * rows[1]) / 4)


@pytest.mark.parametrize("calibration", [0.0, 0.6, 1.0])
def test_gbce_raises_the_probability_of_what_was_met_to_a_power(calibration: float) -> None:
    share = 3 / 50
    power = share * (calibration * (1 - 1 / share) + 1 / share)
    rows = []
    for met, others in zip(MET.tolist(), OTHERS.tolist(), strict=True):
        rows.append(-(math.log(sigmoid(met) ** power) + sum(math.log(1 - sigmoid(other)) for other in others)) / 4)
    found = losses.gbce(MET, OTHERS, WEIGHTS, share=share, calibration=calibration).item()
    assert found == pytest.approx((rows[0] + 3 * rows[1]) / 4)


def test_gbce_without_calibration_is_bce_and_fully_calibrated_has_the_share_as_its_power() -> None:
    assert losses.gbce(MET, OTHERS, WEIGHTS, share=0.1, calibration=0) == losses.bce(MET, OTHERS, WEIGHTS)
    same = losses.gbce(MET, OTHERS, WEIGHTS, share=0.1, calibration=1)
    less = losses.bce(MET, OTHERS, WEIGHTS) + 0.9 * (WEIGHTS * torch.nn.functional.logsigmoid(MET)).sum() / 4 / 4
    assert same.item() == pytest.approx(less.item())


def test_an_other_that_is_barred_counts_for_nothing() -> None:
    barred = torch.cat([OTHERS, torch.full((2, 1), -torch.inf)], dim=1)
    assert losses.sampled_softmax(MET, barred, WEIGHTS) == losses.sampled_softmax(MET, OTHERS, WEIGHTS)
    # These two divide by the number of others, barred or not.
    for loss, ratio in ((losses.bce, 5 / 4), (losses.bpr, 4 / 3)):
        found = loss(MET, barred, WEIGHTS).item()
        assert found * ratio == pytest.approx(loss(MET, OTHERS, WEIGHTS).item())


def test_sampled_softmax_with_its_correction_estimates_the_sum_over_all() -> None:
    """The mean of the corrected sum of e^score over many draws is the sum over all items."""
    random = torch.Generator().manual_seed(0)
    scores_I = torch.randn(40, generator=random)
    chances_I = torch.softmax(torch.randn(40, generator=random), 0)
    sums = []
    for _ in range(4_000):
        drawn_N = torch.multinomial(chances_I, 8, replacement=True, generator=random)
        met = torch.tensor([-1e4])  # adds nothing to the sum: the loss is then its logarithm and ten thousand
        lost = losses.sampled_softmax(met, scores_I[drawn_N][None], torch.ones(1), 8 * chances_I[drawn_N])
        sums.append(math.exp(lost.item() - 1e4))
    assert sum(sums) / len(sums) == pytest.approx(scores_I.exp().sum().item(), rel=0.03)


X, Y = (torch.randn(n, 5, generator=torch.Generator().manual_seed(n), dtype=torch.float64) for n in (6, 9))
TARGETS = torch.tensor([[1, 2], [0, -1], [8, 3], [-1, -1], [4, -1], [-1, 7]])


def gradients(loss: torch.Tensor, *of: torch.Tensor) -> list[torch.Tensor]:
    return list(torch.autograd.grad(3 * loss, of))


def by_hand(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    shares = torch.log_softmax(x @ y.T, dim=1)
    told = [-shares[row, item] for row, items in enumerate(TARGETS.tolist()) for item in items if item >= 0]
    return torch.stack(told).mean()


@pytest.mark.parametrize("at_once", [1, 9, 20, 10**6])
def test_softmax_over_all_items_and_its_gradients(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses, "AT_ONCE", at_once)
    x, y = X.clone().requires_grad_(), Y.clone().requires_grad_()
    found, wanted = losses.softmax(x, y, TARGETS), by_hand(x, y)
    assert found.item() == pytest.approx(wanted.item())
    for one, other in zip(gradients(found, x, y), gradients(wanted, x, y), strict=True):
        torch.testing.assert_close(one, other)


def test_softmax_in_half_precision_is_near() -> None:
    random = torch.Generator().manual_seed(3)
    x, y = (torch.randn(n, 16, generator=random).requires_grad_() for n in (200, 300))
    targets = torch.randint(300, (200, 2), generator=random)
    near, exact = losses.softmax(x, y, targets, half=True), losses.softmax(x, y, targets)
    assert near.item() == pytest.approx(exact.item(), rel=3e-3)
    for one, other in zip(gradients(near, x, y), gradients(exact, x, y), strict=True):
        assert (one - other).norm() < 0.02 * other.norm()


@pytest.mark.parametrize("name", ["binary", "focal"])
def test_losses_over_the_catalogue_are_means_over_rows_of_sums_over_items(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(losses, "AT_ONCE", 20)
    alpha, gamma = 0.3, 1.5

    def one(score: float, true: bool) -> float:
        p = sigmoid(score) if true else 1 - sigmoid(score)
        if name == "binary":
            return -math.log(p)
        return -(alpha if true else 1 - alpha) * (1 - p) ** gamma * math.log(p)

    rule = losses.binary if name == "binary" else lambda s, t: losses.focal(s, t, alpha=alpha, gamma=gamma)
    wanted = sum(
        one(float(x @ y), item in TARGETS[row].tolist()) for row, x in enumerate(X) for item, y in enumerate(Y)
    )
    x, y = X.clone().requires_grad_(), Y.clone().requires_grad_()
    found = losses.over_catalogue(rule, x, y, TARGETS)
    assert found.item() == pytest.approx(wanted / 6)
    truth = torch.zeros(6, 9, dtype=torch.float64)
    for row, items in enumerate(TARGETS.tolist()):
        truth[row, [item for item in items if item >= 0]] = 1
    whole = rule(x @ y.T, truth) / 6
    for got, other in zip(gradients(found, x, y), gradients(whole, x, y), strict=True):
        torch.testing.assert_close(got, other)


def test_focal_without_focus_is_half_of_binary() -> None:
    truth = (OTHERS > 0.3).float()
    half = losses.focal(OTHERS, truth, alpha=0.5, gamma=0)
    assert half.item() == pytest.approx(losses.binary(OTHERS, truth).item() / 2)


@pytest.mark.parametrize("prior", [0.01, 0.5, 3 / 5_501])
def test_the_bias_of_a_prior_gives_it_back(prior: float) -> None:
    assert sigmoid(losses.prior_bias(prior)) == pytest.approx(prior, rel=1e-4)


def test_scores_of_all_rows_are_never_held() -> None:
    """A row of a million items by itself: the peak is that of a block, not of all rows."""
    x, y = torch.randn(64, 4, requires_grad=True), torch.randn(200_000, 4, requires_grad=True)
    targets = torch.randint(200_000, (64, 1))
    sizes = []

    def watched(score_RI: torch.Tensor, truth_RI: torch.Tensor) -> torch.Tensor:
        sizes.append(score_RI.numel())
        return losses.binary(score_RI, truth_RI)

    losses.over_catalogue(watched, x, y, targets)
    assert max(sizes) <= losses.AT_ONCE < 64 * 200_000
