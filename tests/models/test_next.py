"""Next: what follows a history, in a world where everybody goes round a ring in steps of their own."""

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import shortlist as sl
from shortlist.dataset.dataset import Dataset
from shortlist.errors import ColumnError, ConfigError
from shortlist.models import next_learning
from shortlist.models.next import FittedNext, Next
from shortlist.models.retrieval import Request
from shortlist.progress import heard, step
from shortlist.training.plan import Training

RING = 30
PLAN = Training(epochs=30, batch_size=256, learning_rate=0.01, weight_decay=0.0, epsilon=1e-8)
KINDS = ("sasrec", "gru", "mlp")


def ring(users: int = 200, *, length: int = 8, seed: int = 0, left_out: tuple[int, ...] = ()) -> pl.DataFrame:
    """Users who go round the ring of items in steps of 1, 2 or 3, from anywhere; those who meet `left_out` stay out."""
    random = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        start, step = int(random.integers(RING)), int(random.integers(1, 4))
        walk = [(start + place * step) % RING for place in range(length)]
        if not set(walk) & set(left_out):
            rows += [(f"u{user:03}", item, place) for place, item in enumerate(walk)]
    return pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")


def recipe(network: str = "gru", **changes: Any) -> Next:
    settings = {"network": network, "factors": 32, "hidden": 64, "dropout": 0.0, "training": PLAN} | changes
    return Next(**settings)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return Dataset.read(ring())


def history(*items: int, user: int = 0, newer: list[int] | None = None) -> pl.DataFrame:
    told = {"user": [user] * len(items), "item": items, "newer": newer or list(range(len(items) - 1, -1, -1))}
    return pl.DataFrame(told).cast(pl.Int32).with_columns(weight=pl.lit(1.0, pl.Float32))


def first(fitted: FittedNext, told: pl.DataFrame, k: int = 1) -> list[int]:
    found = fitted.retrieve(Request(np.array([0], np.int32), k, history=told))
    return found["item"].to_list()


@pytest.mark.parametrize("network", KINDS)
def test_the_step_of_a_history_is_read_and_gone_on_with(network: str, data: Dataset) -> None:
    fitted = recipe(network).fit(data)
    right = [
        first(fitted, history(*((start + place * step) % RING for place in range(5)))) == [(start + 5 * step) % RING]
        for start in range(RING)
        for step in (1, 2, 3)
    ]
    assert np.mean(right) > 0.95


@pytest.mark.parametrize(
    ("loss", "negatives"),
    [
        *(("softmax", n) for n in ("all", "batch", 20)),
        *(("bce", n) for n in ("all", "batch", 20)),
        ("focal", "auto"),
        ("gbce", "auto"),
        ("bpr", 20),
    ],
)
def test_every_loss_learns_it(loss: str, negatives: Any, data: Dataset) -> None:
    fitted = recipe(loss=loss, negatives=negatives, training=PLAN.model_copy(update={"epochs": 200})).fit(data)
    right = [
        first(fitted, history(*((s + p * step) % RING for p in range(5)))) == [(s + 5 * step) % RING]
        for s in range(RING)
        for step in (1, 3)
    ]
    assert np.mean(right) > 0.9


def test_several_ahead_are_told_together(data: Dataset) -> None:
    fitted = recipe(ahead=3).fit(data)
    assert sorted(first(fitted, history(0, 2, 4, 6, 8), k=3)) == [10, 12, 14]


@pytest.mark.parametrize("tied", [True, False])
def test_learning_from_the_last_place_alone_learns_that_place(tied: bool, data: Dataset) -> None:
    plan = PLAN.model_copy(update={"epochs": 150, "batch_size": 64})
    fitted = recipe("mlp", places="last", ahead=3, loss="focal", length=5, tied=tied, training=plan).fit(data)
    found = [
        sorted(first(fitted, history(*(s + p for p in range(5))), k=3)) == [s + 5, s + 6, s + 7] for s in range(20)
    ]
    assert np.mean(found) > 0.8


def test_the_last_place_that_all_its_targets_follow_is_the_only_one() -> None:
    starts, ends = np.array([0, 8, 10]), np.array([8, 10, 15])
    asked = recipe(places="last", ahead=3, length=4)
    found = next_learning.stretches(starts, ends, asked)
    assert [part.tolist() for part in found] == [[1, 10], [5, 12], [8, 15]]


@pytest.mark.parametrize("length", [1, 3, 4, 100])
def test_every_place_that_something_follows_is_in_one_stretch(length: int) -> None:
    starts, ends = np.array([0, 9, 10, 10]), np.array([9, 10, 10, 17])
    firsts, lasts, of = next_learning.stretches(starts, ends, recipe(length=length))
    places = [place for f, l in zip(firsts, lasts, strict=True) for place in range(f, l)]  # noqa: E741
    assert sorted(places) == [*range(8), *range(10, 16)]
    assert (lasts - firsts).max() <= length
    assert all(end in (9, 17) for end in of)


@pytest.mark.parametrize("places", ["all", "last"])
def test_targets_are_what_follows(places: str) -> None:
    items = np.arange(100, 112)
    asked = recipe(places=places, ahead=2, length=3)
    stretches = next_learning.stretches(np.array([0, 7]), np.array([7, 12]), asked)
    make = next_learning.maker(items, *stretches, asked, "all", 200)
    item_BL, target_BLK, other_N, _ = make(torch.arange(len(stretches[0])), torch.Generator())
    assert len(other_N) == 0
    found = {
        (item, tuple(t for t in targets if t >= 0))
        for row, of in zip(item_BL.tolist(), target_BLK.tolist(), strict=True)
        for item, targets in zip(row, of, strict=True)
        if targets[0] >= 0
    }
    every = {
        (n, tuple(range(n + 1, min(n + 3, end))))
        for first, end in ((100, 107), (107, 112))
        for n in range(first, end - 1)
    }
    assert found == (every if places == "all" else {(104, (105, 106)), (109, (110, 111))})


def test_what_is_drawn_from_a_batch_has_its_share_of_the_data() -> None:
    items = np.array([0] * 6 + [1] * 2)
    asked = recipe(negatives="batch")
    stretches = next_learning.stretches(np.array([0, 4]), np.array([4, 8]), asked)
    _, _, other_N, expected_N = next_learning.maker(items, *stretches, asked, "batch", 3)(
        torch.arange(2), torch.Generator()
    )
    assert len(other_N) == 6
    assert expected_N.tolist() == [pytest.approx(6 * (0.75 if item == 0 else 0.25)) for item in other_N.tolist()]


def test_the_order_counts_and_not_that_in_which_rows_are_given(data: Dataset) -> None:
    fitted = recipe().fit(data)
    there, back = first(fitted, history(4, 5, 6, 7)), first(fitted, history(7, 6, 5, 4))
    assert there == [8] != back
    mixed = history(6, 4, 7, 5, newer=[1, 3, 0, 2])
    assert first(fitted, mixed) == there


def test_what_nobody_knows_is_passed_over(data: Dataset) -> None:
    fitted = recipe().fit(data)
    with_unknown = history(4, 999, 5, 6, RING, 7)
    assert first(fitted, with_unknown, k=5) == first(fitted, history(4, 5, 6, 7), k=5)
    assert first(fitted, history(999, RING)) == []


def test_of_a_history_that_is_longer_than_is_read_the_newest_count(data: Dataset) -> None:
    fitted = recipe(length=3).fit(data)
    assert fitted.recipe.length == 3
    assert first(fitted, history(20, 9, 3, 4, 5, 6), k=9) == first(fitted, history(4, 5, 6), k=9)


def test_a_history_of_a_hundred_thousand_is_learnt_from_and_answered() -> None:
    walk = pl.DataFrame({"user_id": "a", "item_id": np.arange(100_000) % RING, "timestamp": np.arange(100_000)})
    data = Dataset.read(walk)
    fitted = recipe("sasrec", length=50, training=Training(epochs=1, batch_size=1024, epsilon=1e-8)).fit(data)
    assert fitted.recipe.length == 50
    assert first(fitted, history(*range(10))) == [10]
    # Each item counts where it was met last: the newest thirty are the whole ring.
    found = fitted.retrieve(Request(np.array([0], np.int32), 1))
    assert found["item"].to_list() == [100_000 % RING]


def test_time_that_is_not_in_order_and_items_that_come_again() -> None:
    events = ring()
    shuffled = events.sample(fraction=1.0, shuffle=True, seed=1)
    one, other = (recipe(training=Training(epochs=2)).fit(Dataset.read(table)) for table in (events, shuffled))
    assert np.array_equal(one.item_factors, other.item_factors)
    again = Dataset.read(pl.DataFrame({"user_id": ["a"] * 6, "item_id": [1, 2, 1, 2, 1, 2], "timestamp": range(6)}))
    assert first(recipe().fit(again), history(0)) == [1]


@pytest.mark.parametrize("lengths", [(1,), (1, 1, 1)])
def test_histories_with_nothing_to_follow_teach_nothing(lengths: tuple[int, ...]) -> None:
    events = pl.DataFrame({"user_id": [f"u{n}" for n in range(len(lengths))], "item_id": [1] * len(lengths)})
    fitted = recipe().fit(Dataset.read(events))
    assert fitted.losses.is_empty()
    assert np.isfinite(fitted.item_factors).all()


def tagged() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Items in five colours of six: people stay with one colour; of each colour the last item is new."""
    random = np.random.default_rng(3)
    rows = []
    for user in range(300):
        colour = int(random.integers(5))
        for place, item in enumerate(random.permutation(5)):
            rows.append((f"u{user}", f"i{colour}{item}", place))
    events = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    items = pl.DataFrame({"item_id": [f"i{c}{n}" for c in range(5) for n in range(6)]})
    colours = pl.Series([f"colour {c}" for c in range(5) for _ in range(6)])
    return events, items.with_columns(colour=colours)


def test_items_that_nobody_met_are_found_by_their_attributes() -> None:
    events, items = tagged()
    data = Dataset.read(events, items)
    new = np.flatnonzero(data.item_ids.ids.str.ends_with("5").to_numpy()).astype(np.int32)
    fitted = recipe(forget=0.3).fit(data)
    for colour in range(5):
        told = history(*data.item_ids.numbers([f"i{colour}{n}" for n in (3, 0)]).tolist())
        found = fitted.retrieve(Request(np.array([0], np.int32), 1, items=new, history=told))
        assert data.item_ids.originals(found["item"]).to_list() == [f"i{colour}5"]
    blind = recipe(attributes=()).fit(data)
    assert not blind.item_factors[new].any()
    assert blind.retrieve(Request(data.user_ids.numbers(["u0"]), 5, items=new)).is_empty()


def test_items_that_come_after_the_fit_are_scored_at_once() -> None:
    events, items = tagged()
    known = items.filter(~pl.col("item_id").str.ends_with("5"))
    later = items.filter(pl.col("item_id").str.ends_with("5"))
    pipeline = sl.Pipeline(retrievers=(recipe(forget=0.3), sl.Popular()), filter_seen=True).fit(
        Dataset.read(events, known)
    )
    longer = pipeline.with_items(later)
    assert longer.recommend(["u0", "u1"], 4).equals(longer.recommend(["u0", "u1"], 4))
    assert set(pipeline.recommend(["u0"], 25)["item_id"]) <= set(known["item_id"])
    colour = events.filter(user_id="u0")["item_id"][0][1]
    found = longer.recommend(["u0"], 1, candidates=later["item_id"].to_list())
    assert found["item_id"].to_list() == [f"i{colour}5"]
    told = pl.DataFrame({"user_id": "x", "item_id": ["i30", "i35"], "timestamp": [0, 1]})
    assert longer.recommend(["x"], 3, events=told)["item_id"].str.starts_with("i3").all()


def test_further_items_that_say_nothing_known_are_never_answered() -> None:
    events, items = tagged()
    pipeline = sl.Pipeline(retrievers=(recipe(),)).fit(Dataset.read(events, items))
    longer = pipeline.with_items(pl.DataFrame({"item_id": ["new"], "colour": ["plain"]}))
    assert longer.recommend(["u0"], 50).equals(pipeline.recommend(["u0"], 50))


def test_columns_that_are_not_there_and_losses_that_mean_nothing_are_told() -> None:
    events, items = tagged()
    with pytest.raises(ColumnError, match=r"no column 'color'.*colour"):
        recipe(attributes=("color",)).fit(Dataset.read(events, items))
    for loss, negatives in (("gbce", "all"), ("bpr", "all"), ("focal", 10), ("focal", "batch")):
        with pytest.raises(ValueError, match="negatives"):
            Next(loss=loss, negatives=negatives)


def test_with_a_patience_the_newest_items_of_some_are_judged_on(data: Dataset) -> None:
    plan = Training(epochs=60, batch_size=256, epsilon=1e-8, patience=5, stop_on="ndcg@10", hold_out=0.2)
    fitted = recipe(training=plan).fit(data)
    held = fitted.losses.filter(of="held out")
    assert 6 <= held.height < 60
    assert held["loss"].to_numpy().min() < held["loss"][0] / 3
    assert first(fitted, history(4, 5, 6, 7)) == [8]


def test_cut_off_training_goes_on_from_its_folder_to_the_same_bits(data: Dataset, tmp_path: Any) -> None:
    plan = Training(epochs=3, batch_size=256, epsilon=1e-8)
    whole = recipe(training=plan, dropout=0.2).fit(data)
    kept = plan.model_copy(update={"folder": str(tmp_path), "every": 1e-9})
    left = [9]

    def cut(running: str) -> None:
        left[0] -= "epoch" in running
        if left[0] < 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), heard(lambda name, seconds: None, cut), step("fit"):
        recipe(training=kept, dropout=0.2).fit(data)
    again = recipe(training=kept, dropout=0.2).fit(data)
    assert np.array_equal(again.item_factors, whole.item_factors)
    assert np.array_equal(again.user_factors, whole.user_factors)
    other = replace(data, events=data.events.filter(data.events.item > 3))
    with pytest.raises(ConfigError, match="something else"):
        recipe(training=kept, dropout=0.2).fit(other)


def test_training_that_is_kept_is_of_these_attributes(tmp_path: Any) -> None:
    events, items = tagged()
    kept = recipe(training=Training(epochs=1, epsilon=1e-8, folder=str(tmp_path)))
    kept.fit(Dataset.read(events, items))
    with pytest.raises(ConfigError, match="something else"):
        kept.fit(Dataset.read(events, items.with_columns(colour=items["colour"].shuffle(seed=1))))


def test_a_history_is_read_to_the_same_bits_in_any_company(data: Dataset) -> None:
    for network in KINDS:
        fitted = recipe(network, training=Training(epochs=1)).fit(data)
        random = np.random.default_rng(0)
        lengths = random.integers(1, 9, 100)
        items = random.integers(RING, size=lengths.sum())
        starts = np.concatenate([[0], np.cumsum(lengths)])
        newer = np.concatenate([np.arange(n)[::-1] for n in lengths])
        together = fitted.read(items, newer, starts)
        for row in range(100):
            part = slice(starts[row], starts[row + 1])
            alone = fitted.read(items[part], newer[part], np.array([0, lengths[row]]))
            assert np.array_equal(alone[0], together[row])


def test_a_ranker_sees_further_items_too() -> None:
    events, items = tagged()
    days = events.with_columns(timestamp=pl.lit("2024-01-01").str.to_datetime() + pl.duration(days="timestamp"))
    known = items.filter(~pl.col("item_id").str.ends_with("5"))
    plan = sl.Pipeline(
        retrievers=(recipe(forget=0.3), sl.Popular()),
        ranker=sl.LambdaMART(rounds=5, min_rows=5),
        horizon="1d",
        slices=1,
        filter_seen=True,
    )
    fitted = plan.fit(Dataset.read(days, known))
    later = items.filter(pl.col("item_id").str.ends_with("5")).with_columns(size=pl.lit(3))
    longer = fitted.with_items(later)
    assert longer.recommend(["u0"], 5)["score"].is_finite().all()
    found = longer.recommend(["u0"], 5, candidates=later["item_id"].to_list())
    assert sorted(found["item_id"]) == sorted(later["item_id"])
    assert fitted.with_items(later.clear()).recommend(["u0"], 5).equals(fitted.recommend(["u0"], 5))


@pytest.mark.parametrize("network", KINDS)
@pytest.mark.parametrize("tied", [True, False])
def test_the_weights_that_training_will_need_are_counted(network: str, tied: bool) -> None:
    asked = recipe(network, layers=2, length=50, tied=tied)
    net = next_learning.network_of(asked, np.zeros((500, 1), np.int32), 0)
    # Each table has a row for no value.
    there = sum(weight.numel() for weight in net.parameters()) - 33 * (1 if tied else 2)
    assert asked.needs(1_000, 500, 10_000).weights == there


def test_nobody_is_left_out_by_a_patience_where_no_history_is_long_enough() -> None:
    events = pl.DataFrame({"user_id": ["a", "a", "b", "b"], "item_id": [1, 2, 1, 2], "timestamp": [0, 1, 0, 1]})
    plan = Training(epochs=2, patience=1, epsilon=1e-8)
    with pytest.raises(ConfigError, match="held out"):
        recipe(training=plan).fit(Dataset.read(events))


@pytest.mark.parametrize(
    ("loss", "negatives", "share"),
    [
        ("softmax", "all", 0.5),
        ("bpr", 20, 0.5),
        ("bce", "all", 3 / 500),
        ("focal", "auto", 3 / 500),
        ("gbce", 20, 1 / 21),
    ],
)
def test_binary_losses_start_where_few_are_true(loss: str, negatives: Any, share: float) -> None:
    asked = recipe(loss=loss, negatives=negatives, ahead=3)
    net = next_learning.network_of(asked, np.zeros((500, 1), np.int32), 0)
    starts = torch.sigmoid(net.outputs()[:, -1])
    assert starts.tolist() == pytest.approx([share] * 500, rel=1e-4)
