"""Which columns speak of an item or a user, and what those above it add."""

import polars as pl
import pytest

from shortlist.dataset.attributes import table_of
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.texts import REST, Text, is_worded, shared_columns
from shortlist.errors import ColumnError, DataError

TOPICS = pl.DataFrame(
    {
        "user_id": ["a", "b", "c", "d"],
        "parent_id": [None, "a", "b", "nobody"],
        "description": ["all of it", None, "how cells divide", "more words here"],
        "title": ["Biology", "Cells", "Mitosis", "Atoms"],
        "language": ["en", "en", "en", "de"],
        "level": [0, 1, 2, 0],
    }
)
CONTENTS = pl.DataFrame({"item_id": [1, 2], "title": ["A film of cells", "Ein Film"], "language": ["en", "de"]})


@pytest.fixture
def data() -> Dataset:
    return Dataset.read(pl.DataFrame({"user_id": ["c"], "item_id": [1]}), CONTENTS, TOPICS)


def settled(data: Dataset, text: Text = Text()) -> Text:  # noqa: B008 - a recipe is frozen
    return text.settled(data.users, table_of(data, "user"), "user")


def test_a_title_comes_first_then_all_texts_and_those_above(data: Dataset) -> None:
    text = settled(data)
    assert text.columns == ("title", "description")
    assert text.parent == "parent_id"
    table = table_of(data, "user")
    fields = text.of(table, text.named(table, data.user_ids.ids))
    assert [share for _, share in fields] == [1.0, REST, REST]
    assert fields[0][0].to_list() == TOPICS["title"].to_list()
    assert fields[1][0].to_list() == ["", "Biology", "Cells. Biology", ""]


def test_only_so_many_of_those_above_count(data: Dataset) -> None:
    text = settled(data, Text(ancestors=1))
    table = table_of(data, "user")
    assert text.of(table, text.named(table, data.user_ids.ids))[1][0][2] == "Cells"
    assert len(settled(data, Text(ancestors=0)).of(table, text.named(table, data.user_ids.ids))) == 2
    assert len(settled(data, Text(parent=None)).of(table, text.named(table, data.user_ids.ids))) == 2


def test_a_column_that_is_not_there_is_an_error_with_the_nearest_name(data: Dataset) -> None:
    with pytest.raises(ColumnError, match=r"the users have no column 'titel'; did you mean 'title'"):
        settled(data, Text(columns=("titel",)))
    with pytest.raises(ColumnError, match="the users have no column 'above'"):
        settled(data, Text(parent="above"))
    bare = Dataset.read(pl.DataFrame({"user_id": ["c"], "item_id": [1]}))
    with pytest.raises(ColumnError, match="the items have no column of texts"):
        Text().settled(bare.items, table_of(bare, "item"), "item")


def test_what_is_no_text_and_what_is_no_id_are_told() -> None:
    events = pl.DataFrame({"user_id": [1], "item_id": [1]})
    tags = pl.DataFrame({"item_id": [1], "tags": [["red", "blue"]]})
    lists = Dataset.read(events, tags)
    with pytest.raises(ColumnError, match=r"the items' column 'tags' holds no text but List\(String\)"):
        Text(columns=("tags",)).settled(lists.items, table_of(lists, "item"), "item")
    topics = pl.DataFrame({"user_id": [1, 2], "parent_id": [None, "a"], "title": ["one topic", "another topic"]})
    data = Dataset.read(events, CONTENTS, topics)
    with pytest.raises(DataError, match=r"'parent_id' is String \(such as 'a'\), but user_id is Int64"):
        settled(data).named(table_of(data, "user"), data.user_ids.ids)


def test_texts_meet_within_the_language_where_both_tell_it(data: Dataset) -> None:
    assert shared_columns(data, None) == ("language",)
    assert shared_columns(data, ()) == ()
    with pytest.raises(ColumnError, match="the items have no column 'level'"):
        shared_columns(data, ("level",))


def test_words_are_told_from_codes() -> None:
    assert is_worded(pl.Series(["two words", "three more words"]))
    assert is_worded(pl.Series(["漢字", "かな"]))
    assert not is_worded(pl.Series(["en", "de"]))
    assert not is_worded(pl.Series(["the same text"] * 10))
    assert not is_worded(pl.Series([1, 2]))
    assert not is_worded(pl.Series([None, None], dtype=pl.String))


def test_what_a_split_took_out_of_the_table_keeps_its_row(data: Dataset) -> None:
    shorter = Dataset(**{**vars(data), "items": data.items.filter(data.items.item != 0)})
    assert table_of(shorter, "item")["title"].to_list() == [None, "Ein Film"]
