from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from shortlist.dataset import vocabulary
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.vocabulary import Vocabulary, attributes, learnt
from shortlist.errors import ColumnError

TOLD = pl.DataFrame(
    {
        "kind": ["a", "a", "b", None],
        "title": ["Red Shoe", "red hat", "hat", ""],
        "tags": [["x", "y"], ["y"], [], None],
        "shelf": [1, 2, 2, 1],
        "new": [True, None, True, False],
    }
)


def said(known: Vocabulary, told: pl.DataFrame) -> list[set[tuple[str, str]]]:
    """What each row says, in words."""
    names = known.values.sort("number").select("column", "value").rows()
    return [{names[number] for number in row if number < len(known)} for row in known.numbers(told).tolist()]


def test_values_words_and_entries_that_several_say_are_learnt() -> None:
    assert said(learnt(TOLD), TOLD) == [
        {("kind", "a"), ("title, a word", "red"), ("tags", "y"), ("shelf", "1"), ("new", "true")},
        {("kind", "a"), ("title, a word", "red"), ("tags", "y"), ("shelf", "2")},
        {("shelf", "2"), ("new", "true")},
        {("shelf", "1")},
    ]


def test_what_comes_later_says_only_what_was_learnt() -> None:
    later = pl.DataFrame({"kind": ["b", "a"], "title": ["A red car", None], "colour": ["red", "red"]})
    assert said(learnt(TOLD), later) == [{("title, a word", "red")}, {("kind", "a")}]
    nothing = pl.DataFrame({"colour": ["red", "blue"]})
    assert learnt(TOLD).numbers(nothing).tolist() == [[len(learnt(TOLD))]] * 2


def test_numbers_rise_from_the_frequent_to_the_rare_and_stand_in_order() -> None:
    told = pl.DataFrame({"tags": [["x", "y", "z"], ["z", "y"], ["z"], ["x", "y", "z"]]})
    known = learnt(told)
    assert known.values["value"].to_list() == ["z", "y", "x"]
    assert known.numbers(told).tolist() == [[0, 1, 2], [0, 1, 3], [0, 3, 3], [0, 1, 2]]


@pytest.mark.parametrize("kind", ["float", "date", "integer"])
def test_numbers_and_times_of_many_values_are_told_by_stretches(kind: str) -> None:
    days = np.random.default_rng(0).permutation(200)
    values = {
        "float": pl.Series(days / 7),
        "date": pl.Series([date(2020, 1, 1) + timedelta(int(day)) for day in days]),
        "integer": pl.Series(days),
    }[kind]
    told = pl.DataFrame({"when": values})
    known = learnt(told)
    of_row = [row for (row,) in ([n for n in told_row if n < len(known)] for told_row in known.numbers(told).tolist())]
    counts = np.bincount(of_row)
    assert len(counts) == vocabulary.STRETCHES
    assert counts.min() >= 9
    # Whoever is in one stretch is next to the others in it.
    by_day = np.array(of_row)[np.argsort(days)]
    assert (np.diff(by_day) != 0).sum() == vocabulary.STRETCHES - 1
    beyond = pl.DataFrame({"when": [values.max(), None]})
    assert known.numbers(beyond)[0].min() < len(known) == known.numbers(beyond)[1].min()


def test_a_time_says_its_day() -> None:
    told = pl.DataFrame(
        {"when": [datetime(2020, 5, day, hour, tzinfo=UTC) for day, hour in ((1, 7), (1, 9), (2, 7))] + [None]}
    )
    assert said(learnt(told), told) == [{("when", "2020-05-01")}, {("when", "2020-05-01")}, set(), set()]


def test_not_a_number_and_the_infinite_do_no_harm() -> None:
    values = [float("nan"), float("inf"), -float("inf"), *map(float, range(40))]
    known = learnt(pl.DataFrame({"price": values}))
    assert np.isfinite(known.edges["edge"].to_numpy()).all()
    known.numbers(pl.DataFrame({"price": values}))


def test_of_very_many_values_the_rarest_of_an_item_and_the_most_frequent_of_all_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = pl.DataFrame({"tags": [["x", "y", "z"], ["z", "y"], ["z"], ["x", "y", "z"]]})
    monkeypatch.setattr(vocabulary, "OF_ONE", 2)
    assert learnt(told).numbers(told)[0].tolist() == [1, 2]
    monkeypatch.setattr(vocabulary, "AT_MOST", 2)
    assert learnt(told).values["value"].to_list() == ["z", "y"]


def test_attributes_of_a_dataset_stand_in_the_order_of_its_items() -> None:
    items = pl.DataFrame({"item_id": [3, 1, 2], "kind": ["c", "a", "b"], "size": [3, 1, 2]})
    data = Dataset.read(pl.DataFrame({"user_id": [1, 1], "item_id": [2, 9]}), items)
    assert attributes(data).to_dict(as_series=False) == {"kind": ["a", "b", "c", None], "size": [1, 2, 3, None]}
    assert attributes(data, ["kind"]).columns == ["kind"]
    assert attributes(data, []).height == 4
    with pytest.raises(ColumnError, match=r"no column 'knd'.*kind"):
        attributes(data, ["knd"])


def test_nothing_is_known_of_nobody() -> None:
    known = learnt(pl.DataFrame(schema={"kind": pl.String, "tags": pl.List(pl.String), "size": pl.Float64}))
    assert len(known) == 0
    assert known.numbers(TOLD).tolist() == [[0]] * 4
