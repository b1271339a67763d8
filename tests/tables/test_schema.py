import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.errors import ColumnError
from shortlist.tables.schema import EVENTS, ITEMS, RECOMMENDATIONS, USERS, matched


def test_usual_names_are_matched_whatever_their_case_and_separators() -> None:
    assert matched(EVENTS, ["userId", "Movie ID", "T-DAT", "Rating"]) == {
        "user_id": "userId",
        "item_id": "Movie ID",
        "timestamp": "T-DAT",
        "weight": "Rating",
    }


@pytest.mark.parametrize(
    "name",
    [
        "user_id",
        "userId",
        "customer_id",
        "customer",
        "household_id",
        "household",
        "visitorid",
        "member_id",
        "uid",
        "UserID",
    ],
)
def test_a_user_is_known_by_many_names(name: str) -> None:
    assert matched(USERS, [name, "age"]) == {"user_id": name}


@pytest.mark.parametrize(
    "name",
    [
        "item_id",
        "itemId",
        "product_id",
        "article_id",
        "movieId",
        "content_id",
        "sku",
        "asin",
        "track_id",
        "challenge_id",
        "iid",
    ],
)
def test_an_item_is_known_by_many_names(name: str) -> None:
    assert matched(ITEMS, ["price", name]) == {"item_id": name}


@pytest.mark.parametrize(
    "name",
    [
        "timestamp",
        "datetime",
        "date",
        "time",
        "ts",
        "t_dat",
        "transaction_timestamp",
        "event_time",
        "created_at",
        "created_utc",
        "position",
    ],
)
def test_a_time_is_known_by_many_names(name: str) -> None:
    assert matched(EVENTS, ["user_id", "item_id", name])["timestamp"] == name


def test_a_quantity_is_not_a_weight() -> None:
    assert "weight" not in matched(EVENTS, ["user_id", "item_id", "quantity"])


def test_the_exact_name_wins_over_usual_ones() -> None:
    assert matched(EVENTS, ["customer_id", "user_id", "sku", "item_id"]) == {
        "user_id": "user_id",
        "item_id": "item_id",
    }


def test_two_usual_names_are_refused_and_both_are_told() -> None:
    with pytest.raises(ColumnError, match=r"'date' and 'time'.*columns=\{'timestamp': 'date'\}"):
        matched(EVENTS, ["user_id", "item_id", "date", "time"])


def test_what_is_said_beats_what_is_matched() -> None:
    names = ["user_id", "item_id", "timestamp", "day", "date"]
    assert matched(EVENTS, names, {"timestamp": "day"})["timestamp"] == "day"


def test_a_column_that_is_said_for_one_thing_is_not_matched_for_another() -> None:
    assert matched(EVENTS, ["user", "item", "count"], {"timestamp": "count"}) == {
        "user_id": "user",
        "item_id": "item",
        "timestamp": "count",
    }


def test_a_missing_column_is_told_with_what_there_is_and_the_nearest_name() -> None:
    with pytest.raises(ColumnError, match=r"no column 'user_id'.*'usr_id', 'item_id'.*did you mean 'usr_id'\?"):
        matched(EVENTS, ["usr_id", "item_id"])


def test_a_missing_column_of_an_empty_table_is_told() -> None:
    with pytest.raises(ColumnError, match="no column 'user_id'"):
        matched(EVENTS, [])


def test_a_mapping_must_name_what_exists_on_both_sides() -> None:
    with pytest.raises(ColumnError, match="did you mean 'user_id'"):
        matched(EVENTS, ["a", "b"], {"userid": "a"})
    with pytest.raises(ColumnError, match=r"the table has no 'dya'; did you mean 'day'\?"):
        matched(EVENTS, ["user_id", "item_id", "day"], {"timestamp": "dya"})


def test_rules_are_named_in_the_order_in_which_they_are_tried() -> None:
    assert EVENTS.rules == (
        "malformed", "user_id_missing", "user_id_wrong_type", "item_id_missing", "item_id_wrong_type",
        "timestamp_missing", "timestamp_unreadable", "weight_missing",
        "weight_unreadable", "weight_not_finite",
    )  # fmt: skip
    assert ITEMS.rules == ("malformed", "item_id_missing", "item_id_wrong_type", "duplicate_key")


def test_recommendations_are_known_without_scores() -> None:
    assert matched(RECOMMENDATIONS, ["user_id", "item_id", "rank"]) == {n: n for n in ("user_id", "item_id", "rank")}


@given(st.permutations(["userId", "sku", "created_at", "plays", "price", "store"]))
def test_the_order_of_columns_does_not_matter(names: list[str]) -> None:
    expected = {"user_id": "userId", "item_id": "sku", "timestamp": "created_at", "weight": "plays"}
    assert matched(EVENTS, names) == expected
