from collections import Counter, defaultdict

import pytest

from shortlist.dataset.relations import OLD_AGE, Direction
from shortlist.models.covisit import CoVisit
from worlds import World, answered


def slow(world: World, window: int, decay: int, direction: Direction, normalise: float) -> dict[int, dict[int, float]]:
    """The scores by the formula of the docstring, in units of weight."""
    as_of = world.data.as_of
    counts: Counter[tuple[int, int]] = Counter()
    met_by: defaultdict[tuple[int, int], set[int]] = defaultdict(set)
    moments = {(user, item, when) for user, item, when, _ in world.rows if when >= as_of - OLD_AGE * decay}
    for user, item, when in moments:
        for other_user, other, then in moments:
            in_order = {"both": True, "forward": then >= when, "backward": then <= when}[direction]
            if user == other_user and item != other and abs(then - when) <= window and in_order:
                counts[item, other] += 2 ** (-(as_of - max(when, then)) / decay)
                met_by[item, other].add(user)
    events = Counter(item for _, item, *_ in world.rows)
    scores: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for user, item, when, weight in world.rows:
        for (via, other), count in counts.items():
            if via == item and len(met_by[via, other]) > 1:
                fading = weight * 2 ** (-(as_of - when) / 25)
                scores[user][other] += fading * count / (events[via] * events[other]) ** normalise
    return {user: dict(found) for user, found in scores.items()}


@pytest.mark.parametrize("direction", ["both", "forward", "backward"])
@pytest.mark.parametrize("normalise", [0.0, 0.5])
def test_scores_are_the_history_times_the_weights_of_pairs(
    world: World, direction: Direction, normalise: float
) -> None:
    recipe = CoVisit(window="12us", decay="20us", direction=direction, normalise=normalise, half_life="25us")
    found = answered(recipe, world, k=10)
    wanted = slow(world, 12, 20, direction, normalise)
    assert found.keys() == wanted.keys()
    for user, scores in wanted.items():
        # Weights are whole micro-units, and so are counts and histories.
        assert {item: score / 1e18 for item, score in found[user].items()} == pytest.approx(scores, rel=1e-3)


def test_a_pair_that_one_user_alone_made_does_not_count(world: World) -> None:
    fitted = CoVisit(window="1us", decay=None).fit(world.data)
    pairs: defaultdict[tuple[int, int], set[int]] = defaultdict(set)
    for user, item, when, _ in world.rows:
        for again, other, then, _ in world.rows:
            if user == again and item != other and abs(when - then) <= 1:
                pairs[item, other].add(user)
    wanted = {pair for pair, users in pairs.items() if len(users) > 1}
    assert set(fitted.neighbours.select("item", "other").rows()) == wanted


def test_neighbours_and_history_are_kept_to_the_strongest(world: World) -> None:
    recipe = CoVisit(window="30us", decay=None, neighbours=1, history=1, half_life="25us")
    fitted = recipe.fit(world.data)
    assert fitted.neighbours["item"].is_unique().all()
    assert fitted.histories["user"].is_unique().all()
    everything = CoVisit(window="30us", decay=None, half_life="25us").fit(world.data)
    strongest = everything.histories.sort("score", descending=True).unique("user", keep="first", maintain_order=True)
    assert fitted.histories.rows() == strongest.sort("user").rows()
