"""A network and rows that every test of the loop trains on."""

from collections.abc import Callable
from typing import Any

import torch

from shortlist.nn.ratings import Concatenated
from shortlist.training import losses
from shortlist.training.batches import Batches, of_tensors
from shortlist.training.loop import Trained, train
from shortlist.training.plan import Training

ROWS, SIZE = 1_000, 64


class CutOff(Exception):  # noqa: N818  (it is no error)
    """What a test throws in the middle of training."""


class Task:
    """A small network with dropout, made anew for each training, and the loss that cuts off at a batch."""

    def __init__(self) -> None:
        random = torch.Generator().manual_seed(0)
        users, items = (torch.randint(n, (ROWS,), generator=random) for n in (30, 20))
        alike = ((users < 15) == (items < 10)).float()
        self.rows = (users, items, 0.2 + 0.4 * alike + 0.2 * torch.rand(ROWS, generator=random))

    def network(self) -> Concatenated:
        return Concatenated(30, 20, 4, [8], 0.2, torch.Generator().manual_seed(1))

    def batches(self) -> Batches:
        return Batches(ROWS, SIZE, 5, of_tensors(self.rows))

    def judge(self, net: Any) -> dict[str, float]:
        users, items, shares = self.rows
        with torch.no_grad():
            return {"loss": float(losses.squared(torch.sigmoid(net(users, items)), shares))}

    def loss(self, cut_off: int | None = None) -> Callable[[Any, Any], torch.Tensor]:
        left = [-1 if cut_off is None else cut_off]

        def of(net: Any, batch: Any) -> torch.Tensor:
            if left[0] == 0:
                raise CutOff
            left[0] -= 1
            return losses.squared(torch.sigmoid(net(batch[0], batch[1])), batch[2])

        return of

    def train(self, plan: Training, cut_off: int | None = None, identity: str = "this") -> tuple[Concatenated, Trained]:
        net = self.network()
        judge = None if plan.patience is None else self.judge
        found = train(net, self.loss(cut_off), self.batches(), plan, width=20, judge=judge, identity=identity)
        return net, found
