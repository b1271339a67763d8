import math
from collections import Counter, defaultdict

import pytest

from shortlist.errors import ColumnError
from shortlist.models.same_attribute import SameAttribute
from worlds import TYPES, World, answered


def test_scores_are_affinity_times_the_items_share_of_its_kind(world: World) -> None:
    as_of = world.data.as_of
    popularity: Counter[int] = Counter()
    of_type: Counter[str] = Counter()
    affinity: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for user, item, when, weight in world.rows:
        if (kind := TYPES[item]) is None:
            continue
        affinity[user][kind] += weight * 2 ** (-(as_of - when) / 25)
        if when >= as_of - 60:
            popularity[item] += weight
            of_type[kind] += weight
    wanted = {
        user: {
            item: math.sqrt(loves[kind]) * popularity[item] / math.sqrt(of_type[kind])
            for item, kind in enumerate(TYPES)
            if kind in loves and popularity[item]
        }
        for user, loves in affinity.items()
    }
    found = answered(SameAttribute(column="type", window="60us", half_life="25us"), world, k=10)
    assert found.keys() == wanted.keys()
    for user, scores in wanted.items():
        assert {item: score / 1e6 for item, score in found[user].items()} == pytest.approx(scores, rel=1e-4)


def test_items_without_a_value_are_never_answered(world: World) -> None:
    found = answered(SameAttribute(column="type", window=None), world, k=10)
    assert 3 not in {item for scores in found.values() for item in scores}


def test_depth_keeps_the_most_popular_of_each_kind(world: World) -> None:
    fitted = SameAttribute(column="type", window=None, depth=1).fit(world.data)
    assert fitted.items["via"].is_unique().all()


def test_a_column_that_items_do_not_have_is_told_with_the_nearest(world: World) -> None:
    with pytest.raises(ColumnError, match="no column 'tipe'; did you mean 'type'"):
        SameAttribute(column="tipe").fit(world.data)
