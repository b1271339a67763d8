"""Losses: pure functions of tensors, each a mean over what is learnt from.

Four families. Of predictions: `squared`. Of a target beside others that were drawn, from the scores `met_B` and
`others_BN` (-inf: no other there) of B pairs, each with its weight: `bpr`, `bce`, `gbce`, `sampled_softmax`. Of targets
among all items, from vectors: `over_catalogue`, which never holds the scores of all rows at once (`softmax` is a form
of it by hand), with `binary` and `focal` for its rule. Of what belongs together among a batch: `infonce`.

Shapes: B rows or pairs, N others, I items, D numbers of a vector, K targets of a row at most, C candidates of a batch.
"""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch.nn import functional

AT_ONCE = 2**23
"""Scores that are held at one time where a loss is over all items."""
PARTS = 16
"""Parts in which a row of shares is added up."""
EDGE = 1e-6
"""How near to -1 and 1 a cosine is looked at."""

Rule = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""The loss of scores (R, I) where the truth is 0 or 1 (R, I), summed over both."""
Part = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""A sum of losses, and its gradients to the vectors of rows and to those of items."""


def squared(predicted_B: torch.Tensor, true_B: torch.Tensor) -> torch.Tensor:
    """(predicted - true)²."""
    return functional.mse_loss(predicted_B, true_B)


def bpr(met_B: torch.Tensor, others_BN: torch.Tensor, weight_B: torch.Tensor) -> torch.Tensor:
    """-log σ(score of what was met - score of what was not), the mean over N others, weighed.

    Source: Rendle et al., "BPR: Bayesian Personalized Ranking from Implicit Feedback", UAI 2009.
    """
    return _weighed(-functional.logsigmoid(met_B[:, None] - others_BN).mean(dim=1), weight_B)


def bce(met_B: torch.Tensor, others_BN: torch.Tensor, weight_B: torch.Tensor) -> torch.Tensor:
    """(-log σ(score of what was met) - Σ over others log(1 - σ(score))) / (N + 1), weighed.

    Source: Kang, McAuley, "Self-Attentive Sequential Recommendation", ICDM 2018, there with one other.
    """
    return gbce(met_B, others_BN, weight_B, share=1.0, calibration=0.0)


def gbce(
    met_B: torch.Tensor, others_BN: torch.Tensor, weight_B: torch.Tensor, *, share: float, calibration: float
) -> torch.Tensor:
    """The same where σ(score of what was met) stands to the power β = α (t (1 - 1/α) + 1/α).

    α is the `share` of all others that is drawn, t the `calibration`: 0 is `bce`; with 1 the probabilities are those of
    a softmax over all items, however few are drawn, and not too high.
    Source: Petrov, Macdonald, "gSASRec: Reducing Overconfidence in Sequential Recommendation Trained with Negative
    Sampling", RecSys 2023.
    """
    power = share * (calibration * (1 - 1 / share) + 1 / share)
    missed_B = -functional.logsigmoid(-others_BN).sum(dim=1)
    return _weighed((missed_B - power * functional.logsigmoid(met_B)) / (others_BN.shape[1] + 1), weight_B)


def sampled_softmax(
    met_B: torch.Tensor, others_BN: torch.Tensor, weight_B: torch.Tensor, expected_N: torch.Tensor | None = None
) -> torch.Tensor:
    """-log of the share of e^score that what was met has beside N others that were drawn, weighed.

    `expected_N`, where given, is how often each of the others is expected among those drawn: its logarithm is taken off
    their scores, so that the sum of e^score is on average that over all items.
    Source: Bengio, Senécal, "Adaptive Importance Sampling", IEEE Transactions on Neural Networks 2008; for others that
    are the targets of the same batch, Yi et al., "Sampling-Bias-Corrected Neural Modeling", RecSys 2019 (log-Q).
    """
    if expected_N is not None:
        others_BN = others_BN - expected_N.log()
    lost_B = -functional.log_softmax(torch.cat([met_B[:, None], others_BN], dim=1), dim=1)[:, 0]
    return _weighed(lost_B, weight_B)


def infonce(
    x_BD: torch.Tensor,
    y_CD: torch.Tensor,
    known_BC: torch.Tensor,
    temperature: float,
    margin: float = 0.0,
    of: Literal["cosine", "angle"] = "cosine",
) -> torch.Tensor:
    """-log of the share of e^(x · y / temperature) that the b-th of C candidates has for row b, the mean over rows.

    The first B candidates are those that belong to the rows, the others are drawn. What `known_BC` says to belong to a
    row too is left out: it is no miss. Vectors have length one: with a `margin` what belongs to a row must win by so
    much, its cosine being lowered by it, or its angle (in radians) made wider.
    Source: van den Oord et al., "Representation Learning with Contrastive Predictive Coding", 2018; margins: Wang et
    al., "CosFace", and Deng et al., "ArcFace", CVPR 2018 and 2019.
    """
    cosine_BC = x_BD @ y_CD.T
    own_B = torch.arange(len(x_BD), device=x_BD.device)
    own = known_BC.new_zeros(known_BC.shape).index_put((own_B, own_B), torch.tensor(True))
    if margin and of == "cosine":
        cosine_BC = torch.where(own, cosine_BC - margin, cosine_BC)
    elif margin:
        # Short of the ends, where the slope of the arc cosine has none.
        wider_BC = torch.cos((torch.acos(cosine_BC.clamp(-1 + EDGE, 1 - EDGE)) + margin).clamp(max=torch.pi))
        cosine_BC = torch.where(own, wider_BC, cosine_BC)
    return functional.cross_entropy((cosine_BC / temperature).masked_fill(known_BC & ~own, -torch.inf), own_B)


def softmax(x_BD: torch.Tensor, y_ID: torch.Tensor, target_BK: torch.Tensor, *, half: bool = False) -> torch.Tensor:
    """-log of the share of e^(x · y) that a target has among all items, the mean over all targets (-1: none there).

    Gradients are made along with the loss, a block of rows at a time, so that the scores of all rows are never held.
    `half`: products and shares are in bfloat16, sums in float32.
    Source: the same idea as Wijmans et al., "Cut Your Losses in Large-Vocabulary Language Models", ICLR 2025.
    """
    exact = x_BD.dtype

    def part(x_RD: torch.Tensor, y_ID: torch.Tensor, target_RK: torch.Tensor) -> Part:
        x, y = (x_RD.bfloat16(), y_ID.bfloat16()) if half else (x_RD, y_ID)
        there_RK = target_RK >= 0
        of_RK = target_RK.clamp(min=0)
        count_R = there_RK.sum(dim=1).to(exact)
        share_RI = x @ y.T
        met_RK = share_RI.gather(1, of_RK).to(exact)
        most_R1 = share_RI.amax(dim=1, keepdim=True)
        share_RI.sub_(most_R1).exp_()
        # In parts, each rounded once: torch would make a copy in float32 to add bfloat16 exactly.
        sum_R = torch.stack([part.sum(dim=1) for part in share_RI.chunk(PARTS, dim=1)]).sum(dim=0, dtype=exact)
        lost = (count_R * (sum_R.log() + most_R1[:, 0].to(exact))).sum() - (met_RK * there_RK).sum()
        share_RI.mul_((count_R / sum_R)[:, None].to(share_RI.dtype))
        to_x_RD = (share_RI @ y).to(exact) - (y_ID[of_RK] * there_RK[..., None]).sum(dim=1)
        to_y_ID = (share_RI.T @ x).to(exact)
        row_T, place_T = there_RK.nonzero(as_tuple=True)
        to_y_ID.index_add_(0, target_RK[row_T, place_T], x_RD[row_T], alpha=-1)
        return lost, to_x_RD, to_y_ID

    count = (target_BK >= 0).sum().clamp(min=1)
    lost: torch.Tensor = _Blocks.apply(x_BD, y_ID, target_BK, part)  # type: ignore[no-untyped-call]
    return lost / count


def over_catalogue(rule: Rule, x_BD: torch.Tensor, y_ID: torch.Tensor, target_BK: torch.Tensor) -> torch.Tensor:
    """The loss of a rule over the scores x · y of all items, several of which may be true of a row; the mean over rows.

    A block of rows at a time, as in `softmax`. A target of -1 is none; a target named twice counts once.
    """

    def part(x_RD: torch.Tensor, y_ID: torch.Tensor, target_RK: torch.Tensor) -> Part:
        truth_RI = torch.zeros(len(x_RD), len(y_ID) + 1, dtype=x_RD.dtype, device=x_RD.device)
        truth_RI = truth_RI.scatter_(1, target_RK % (len(y_ID) + 1), 1.0)[:, :-1]  # -1 is the column beyond
        with torch.enable_grad():
            x, y = x_RD.detach().requires_grad_(), y_ID.detach().requires_grad_()
            lost = rule(x @ y.T, truth_RI)
            to_x_RD, to_y_ID = torch.autograd.grad(lost, (x, y))
        return lost.detach(), to_x_RD, to_y_ID

    lost: torch.Tensor = _Blocks.apply(x_BD, y_ID, target_BK, part)  # type: ignore[no-untyped-call]
    return lost / max(len(x_BD), 1)


def binary(score_RI: torch.Tensor, truth_RI: torch.Tensor) -> torch.Tensor:
    """The sum of -log σ(score) where an item is true, of -log(1 - σ(score)) where it is not: each item by itself."""
    return functional.binary_cross_entropy_with_logits(score_RI, truth_RI, reduction="sum")


def focal(score_RI: torch.Tensor, truth_RI: torch.Tensor, *, alpha: float = 0.25, gamma: float = 2.0) -> torch.Tensor:
    """The sum of a (1 - p)^γ (-log p), p the probability of what is the case, a being α where true and 1 - α elsewhere.

    With α of a half and γ of 0 it is half of `binary`.
    Source: Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017.
    """
    lost_RI = functional.binary_cross_entropy_with_logits(score_RI, truth_RI, reduction="none")
    weight_RI = 1 - alpha + (2 * alpha - 1) * truth_RI
    return (weight_RI * (-torch.expm1(-lost_RI)).pow(gamma) * lost_RI).sum()


def prior_bias(prior: float) -> float:
    """The bias with which σ(score) starts at a `prior` probability: -log((1 - π) / π).

    Source: as of `focal`, section 3.3: else all the many that are not true are wrong by far at the start.

    >>> round(prior_bias(0.01), 3)
    -4.595
    """
    return -float(torch.log(torch.tensor((1 - prior) / prior)))


def _weighed(lost_B: torch.Tensor, weight_B: torch.Tensor) -> torch.Tensor:
    return (weight_B * lost_B).sum() / weight_B.sum()


class _Blocks(torch.autograd.Function):
    """A sum over blocks of rows, whose gradients are made on the way forth and kept for the way back."""

    @staticmethod
    def forward(
        ctx: Any,
        x_BD: torch.Tensor,
        y_ID: torch.Tensor,
        target_BK: torch.Tensor,
        part: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], Part],
    ) -> torch.Tensor:
        to_x_BD, to_y_ID = torch.empty_like(x_BD), torch.zeros_like(y_ID)
        lost = x_BD.new_zeros(())
        rows = max(1, AT_ONCE // max(len(y_ID), 1))
        for start in range(0, len(x_BD), rows):
            block = slice(start, start + rows)
            of_block, to_x_BD[block], to_y = part(x_BD[block], y_ID, target_BK[block])
            lost += of_block
            to_y_ID += to_y
        ctx.save_for_backward(to_x_BD, to_y_ID)
        return lost

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None, None]:
        to_x_BD, to_y_ID = ctx.saved_tensors
        return grad * to_x_BD, grad * to_y_ID, None, None
