"""MatrixFactorization: its scores, what it is trained by, and that it learns what popularity does not tell."""

import numpy as np
import polars as pl
import pytest
import torch

import shortlist as sl
from shortlist.models.matrix_factorization import _loss
from shortlist.models.retrieval import Request
from shortlist.nn.ratings import DotProduct
from shortlist.training import losses


def halves(seed: int = 0) -> tuple[sl.Dataset, pl.DataFrame]:
    """Users of two kinds, each meeting items of its own half; a fifth of the pairs is held out."""
    random = np.random.default_rng(seed)
    rows = [(u, i) for u in range(60) for i in range(40) if u % 2 == i % 2 and random.random() < 0.5]
    pairs = pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row").sample(fraction=1, shuffle=True, seed=seed)
    cut = pairs.height // 5
    return sl.Dataset.read(pairs[cut:]), pairs[:cut]


@pytest.mark.parametrize("loss", ["softmax", "bpr"])
def test_items_of_the_users_own_half_come_first(loss: str) -> None:
    data, held = halves()
    model = sl.MatrixFactorization(factors=8, loss=loss, negatives=16)  # type: ignore[arg-type]
    lists = sl.Pipeline(retrievers=(model,), filter_seen=True).fit(data).recommend(held["user_id"].unique(), k=5)
    assert (lists["user_id"] % 2 == lists["item_id"] % 2).mean() > 0.95  # type: ignore[operator]


def test_an_answer_is_the_product_and_the_bias_of_the_item() -> None:
    data, _ = halves()
    fitted = sl.MatrixFactorization(factors=4, training=sl.Training(epochs=2)).fit(data)
    assert (fitted.user_factors[:, -1] == 1).all()
    scores = fitted.user_factors[3, :-1] @ fitted.item_factors[:, :-1].T + fitted.item_factors[:, -1]
    found = fitted.retrieve(Request(np.array([3], dtype=np.int32), 5))
    assert found["item"].to_list() == np.argsort(-scores)[:5].tolist()
    assert found["score"].to_numpy() == pytest.approx(np.sort(scores)[::-1][:5], rel=1e-5)


@pytest.mark.parametrize("name", ["softmax", "bpr"])
def test_the_loss_compares_with_all_that_was_drawn_but_the_item_itself(name: str) -> None:
    net = DotProduct(3, 5, 4, torch.Generator().manual_seed(1))
    for table in (net.user, net.item):
        torch.nn.init.normal_(table.weight, generator=torch.Generator().manual_seed(2))
    users, items, others = torch.tensor([0, 2]), torch.tensor([1, 4]), torch.tensor([4, 0, 3])
    weights = torch.tensor([1.0, 3.0])
    x, y = net.user.weight.detach(), net.item.weight.detach()
    rows = []
    for user, item in zip(users.tolist(), items.tolist(), strict=True):
        score = {i: float(x[user, :-1] @ y[i, :-1] + y[i, -1]) for i in range(5)}
        drawn = [score[o] if o != item else -np.inf for o in others.tolist()]
        rows.append((score[item], drawn))
    met, drawn_BN = torch.tensor([row[0] for row in rows]), torch.tensor([row[1] for row in rows])
    of = losses.bpr if name == "bpr" else losses.sampled_softmax
    expected = of(met, drawn_BN, weights)
    assert float(_loss(name)(net, (users, items, weights, others)).detach()) == pytest.approx(float(expected), rel=1e-5)
    assert torch.isfinite(expected)


def test_what_faded_counts_less() -> None:
    """Two items met by the same users, one of them long ago."""
    long_ago, now = 1_700_000_000, 1_730_000_000
    rows = [
        (u, item, moment) for u in range(40) for item, moment in (("old", long_ago), ("new", now), (f"i{u % 7}", now))
    ]
    events = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    data = sl.Dataset.read(events)
    fading = sl.MatrixFactorization(factors=4, half_life="30d", training=sl.Training(epochs=40)).fit(data)
    bias = dict(zip(data.item_ids.ids.to_list(), fading.item_factors[:, -1].tolist(), strict=True))
    assert bias["new"] > bias["old"] + 0.5


def test_bpr_of_an_item_that_stands_against_itself_is_no_loss() -> None:
    assert float(losses.bpr(torch.tensor([1.0]), torch.tensor([[-torch.inf]]), torch.ones(1))) == 0


def test_a_patience_with_nothing_held_out_is_told() -> None:
    data, _ = halves()
    with pytest.raises(sl.ConfigError, match="this model holds nothing out: leave it out"):
        sl.MatrixFactorization(training=sl.Training(patience=1)).fit(data)
