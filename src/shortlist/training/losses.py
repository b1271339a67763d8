"""Losses: pure functions of tensors, each the mean over a batch of B rows."""

import torch
from torch.nn import functional


def squared(predicted_B: torch.Tensor, true_B: torch.Tensor) -> torch.Tensor:
    """(predicted - true)²."""
    return functional.mse_loss(predicted_B, true_B)


def bpr(met_B: torch.Tensor, others_BN: torch.Tensor, weight_B: torch.Tensor) -> torch.Tensor:
    """-log σ(score of what was met - score of what was not), the mean over N others, weighed.

    Source: Rendle et al., "BPR: Bayesian Personalized Ranking from Implicit Feedback", UAI 2009.
    """
    lost_B = -functional.logsigmoid(met_B[:, None] - others_BN).mean(dim=1)
    return (weight_B * lost_B).sum() / weight_B.sum()


def sampled_softmax(met_B: torch.Tensor, others_BN: torch.Tensor, weight_B: torch.Tensor) -> torch.Tensor:
    """-log of the share of e^score that what was met has beside N others that were drawn evenly, weighed.

    Source: Bengio, Senécal, "Adaptive Importance Sampling", IEEE Transactions on Neural Networks 2008; where all are
    drawn alike no score is corrected.
    """
    lost_B = -functional.log_softmax(torch.cat([met_B[:, None], others_BN], dim=1), dim=1)[:, 0]
    return (weight_B * lost_B).sum() / weight_B.sum()
