import numpy as np
import polars as pl
import pytest

from shortlist.dataset.dataset import Dataset
from shortlist.models.retrieval import Request
from shortlist.models.user_knn import FAINT, UserKNN
from worlds import World, answered


def faded(world: World, half_life: float) -> np.ndarray:
    h_UI = np.zeros((7, 6))
    for user, item, when, weight in world.rows:
        h_UI[user, item] += weight * 2 ** (-(world.data.as_of - when) / half_life)
    return np.where(h_UI < FAINT, 0, h_UI)


@pytest.mark.parametrize("neighbours", [2, 100])
def test_scores_are_what_the_nearest_had_lately(world: World, neighbours: int) -> None:
    h_UI = faded(world, 25)
    users_I = np.maximum((h_UI > 0).sum(axis=0), 1)
    x_UI = np.sqrt(h_UI * np.log(7 / users_I))
    unit_UI = x_UI / np.linalg.norm(x_UI, axis=1, keepdims=True)
    sim_UU = unit_UI @ unit_UI.T
    np.fill_diagonal(sim_UU, 0)
    for row in sim_UU:
        row[np.argsort(row)[: max(0, 7 - neighbours)]] = 0
    sim_UU = sim_UU**1.5
    score_UI = sim_UU / sim_UU.sum(axis=1, keepdims=True) @ np.minimum(faded(world, 10), 2)

    recipe = UserKNN(neighbours=neighbours, half_life="25us", recent="10us")
    found = answered(recipe, world, k=10)
    assert found
    for user, scores in found.items():
        for item, score in scores.items():
            assert score == pytest.approx(score_UI[user, item], rel=1e-4)
        assert set(scores) == set(np.flatnonzero(score_UI[user] > 0))


def test_users_who_share_only_what_everybody_has_are_no_neighbours() -> None:
    rows = [("u", "all"), ("v", "all"), ("w", "all"), ("u", "one"), ("v", "other")]
    data = Dataset.read(pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row"))
    fitted = UserKNN().fit(data)
    assert fitted.neighbours.is_empty()
    assert fitted.retrieve(Request(np.arange(3, dtype=np.int32), 5)).is_empty()
