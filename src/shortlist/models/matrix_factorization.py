"""MatrixFactorization: factors of what was met, learnt by gradients through the one training loop.

score(u, i) = x_u · y_i + c_i. A batch of pairs shares the items that it is compared with, drawn at random: `softmax`
raises the share that e^score of what was met has beside those of the others (sampled softmax), `bpr` the chance that it
is scored above each of them. A pair counts as much as its events weigh, fading with age where there is a `half_life`;
a column `weight` that is smaller for a purchase at a discount makes it count less.
Source: Rendle et al., "BPR", UAI 2009; sampled softmax with shared negatives as in Yi et al., "Sampling-Bias-Corrected
Neural Modeling for Large Corpus Item Recommendations", RecSys 2019.
Differs: the others are drawn evenly, not from the batch; weights enter as their logarithm, log(1 + w / the median).
Cost of an epoch: 6 F · negatives flops a pair, and 16 F bytes of each user and item for every step.

Shapes: U users, I items, B pairs of a batch, N items that they are compared with, F factors, D = F + 1.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import PositiveFloat, PositiveInt
from scipy import sparse

from shortlist.config import Config
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.views import interactions
from shortlist.models.factors import most_alike, nearest_items, vectors_of
from shortlist.models.networks import NOTHING, ROW_BYTES, trained
from shortlist.models.retrieval import Request
from shortlist.moments import Duration
from shortlist.seeds import Seeds
from shortlist.training.memory import Needs
from shortlist.training.plan import Training, torch_for


class MatrixFactorization(Config):
    """Recipe for factors of implicit feedback by gradients."""

    kind: Literal["matrix_factorization"] = "matrix_factorization"
    factors: PositiveInt = 64
    """Length of a vector."""
    loss: Literal["softmax", "bpr"] = "softmax"
    """What is raised."""
    negatives: PositiveInt = 256
    """Items that all pairs of a batch are compared with."""
    half_life: Duration | None = None
    """Time after which an event counts half; none counts all alike."""
    training: Training = Training(epochs=20, weight_decay=0.1)
    """How it is trained."""
    seed: int = 0
    """Of the start, of the order of the pairs and of the items that are drawn."""
    votes: PositiveFloat = 1.0
    """How much its ranks count where those of several retrievers are fused."""

    def needs(self, users: int, items: int, rows: int) -> Needs:
        """What training will need where there are so many users, items and pairs."""
        batch = self.training.batch_of(rows)
        return Needs((users + items) * (self.factors + 1), self._width, rows, ROW_BYTES, batch)

    @property
    def _width(self) -> int:
        return 3 * self.factors + 2 * self.negatives

    def fit(self, data: Dataset) -> "FittedMatrixFactorization":
        """Train. Users and items without events get vectors of zeros. Without torch, `MissingExtraError`."""
        torch = torch_for("training a network")
        from shortlist.nn.ratings import DotProduct
        from shortlist.training.batches import Batches

        met_UI = interactions(data, half_life=self.half_life)
        users, items = met_UI.shape
        seeds = Seeds(self.seed)
        net = DotProduct(users, items, self.factors, torch.Generator().manual_seed(seeds.number("start")))
        training, losses = self.training, NOTHING
        if met_UI.nnz:
            batches = Batches(
                met_UI.nnz, training.batch_of(met_UI.nnz), seeds.number("order"), _maker(met_UI, self.negatives)
            )
            arrays = (met_UI.indptr, met_UI.indices, met_UI.data)
            losses, training = trained(self, training, net, _loss(self.loss), batches, width=self._width, arrays=arrays)
        x_UD, y_ID = (table.weight.detach().numpy().copy() for table in (net.user, net.item))
        x_UD[:, -1] = 1
        x_UD[np.diff(met_UI.indptr) == 0] = 0
        y_ID[np.bincount(met_UI.indices, minlength=items) == 0] = 0
        return FittedMatrixFactorization(self.model_copy(update={"training": training}), x_UD, y_ID, losses)


@dataclass(frozen=True)
class FittedMatrixFactorization:
    """Vectors of users and items (float32, D numbers): the last is 1 of a user and the bias of an item; zeros for those
    without events.

    `losses` is the path of the loss: see `networks.trained`. The `recipe` names the rate found.
    """

    folds_in: ClassVar[bool] = False

    recipe: MatrixFactorization
    user_factors: np.ndarray
    item_factors: np.ndarray
    losses: pl.DataFrame

    def retrieve(self, request: Request) -> pl.DataFrame:
        """The items of the largest score."""
        return nearest_items(vectors_of(request.users, self.user_factors), self.item_factors, request)

    def similar_items(self, items: np.ndarray, k: int) -> pl.DataFrame:
        """The `k` items of the largest cosine: `item`, `similar` (int32), `score` (the cosine), `rank`."""
        return most_alike(items, self.item_factors[:, :-1], k, name="item")

    def similar_users(self, users: np.ndarray, k: int) -> pl.DataFrame:
        """The `k` users of the largest cosine: `user`, `similar` (int32), `score` (the cosine), `rank`."""
        return most_alike(users, self.user_factors[:, :-1], k, name="user")


def _maker(met_UI: sparse.csr_array, negatives: int) -> Any:
    """Makes batches: user_B, item_B, weight_B, and the items that all of them are compared with, other_N."""
    import torch

    users, items = met_UI.shape
    user_E = torch.from_numpy(np.repeat(np.arange(users, dtype=np.int32), np.diff(met_UI.indptr)))
    item_E = torch.from_numpy(met_UI.indices.astype(np.int32, copy=False))
    weight = np.log1p(met_UI.data / np.median(met_UI.data)).astype(np.float32)
    weight_E = torch.from_numpy(weight / weight.mean())

    def make(rows: torch.Tensor, random: torch.Generator) -> tuple[torch.Tensor, ...]:
        other_N = torch.randint(items, (negatives,), generator=random, dtype=torch.int32)
        return user_E[rows], item_E[rows], weight_E[rows], other_N

    return make


def _loss(name: str) -> Any:
    import torch

    from shortlist.training import losses

    def of(net: Any, batch: Any) -> Any:
        user_B, item_B, weight_B, other_N = batch
        x_BD, y_BD, other_ND = net.user(user_B), net.item(item_B), net.item(other_N)
        met_B = torch.linalg.vecdot(x_BD[:, :-1], y_BD[:, :-1]) + y_BD[:, -1]
        others_BN = x_BD[:, :-1] @ other_ND[:, :-1].T + other_ND[:, -1]
        others_BN = others_BN.masked_fill(other_N == item_B[:, None], -torch.inf)
        if name == "bpr":
            return losses.bpr(met_B, others_BN, weight_B)
        return losses.sampled_softmax(met_B, others_BN, weight_B)

    return of
