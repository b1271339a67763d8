from collections import Counter, defaultdict

import pytest

from shortlist.models.repurchase import Repurchase
from worlds import World, answered


def test_scores_are_weights_fading_with_age(world: World) -> None:
    sums: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for user, item, when, weight in world.rows:
        sums[user][item] += weight * 2 ** (-(world.data.as_of - when) / 15) * 1_000_000
    found = answered(Repurchase(half_life="15us"), world, k=10)
    assert found.keys() == sums.keys()
    for user, scores in sums.items():
        assert found[user] == pytest.approx(scores, abs=10)


def test_depth_keeps_a_users_strongest(world: World) -> None:
    everything = answered(Repurchase(half_life="15us"), world, k=2)
    assert answered(Repurchase(half_life="15us", depth=2), world, k=10) == everything
