from collections.abc import Callable
from datetime import date

import polars as pl
import pytest

from shortlist.leaks.findings import Findings

COLUMNS = ["user_id", "item_id", "timestamp"]
DAYS = [(user, 20 * user + day, date(2024, 1, 1 + day + user % 9)) for user in range(20) for day in range(12)]


def frame(rows: list[tuple[int, int, date]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


def leave_one_out(rows: list[tuple[int, int, date]]) -> tuple[pl.DataFrame, pl.DataFrame]:
    events = frame(rows).sort("user_id", "timestamp", "item_id")
    last = pl.int_range(pl.len(), 0, -1).over("user_id") == 1
    return events.filter(~last), events.filter(last)


def test_leaving_one_out_on_a_clock_that_tells_events_apart_is_no_leak(checked: Callable[..., Findings]) -> None:
    found = checked(*leave_one_out(DAYS))
    assert found.clean, str(found)
    assert "by each user's time" in found.split


@pytest.mark.parametrize(("users", "leak"), [(2, False), (3, True), (20, True)])
def test_cuts_inside_one_moment_are_a_finding_from_three_users_on(
    checked: Callable[..., Findings], users: int, leak: bool
) -> None:
    more = [(user, 500 + user, date(2024, 1, 12 + user % 9)) for user in range(users)]
    found = checked(*leave_one_out([*DAYS, *more]))
    assert [finding.check for finding in found.findings] == ["order"] * leak
    told = found.findings[0].found if leak else found.notes[0]
    assert f"of 20 users with events on both sides, {users} have their cut inside one moment" in told


def test_a_cut_by_the_order_of_rows_inside_a_day_is_a_finding(checked: Callable[..., Findings]) -> None:
    events = frame(DAYS).sort("timestamp", "item_id")
    first = events["timestamp"].rank("min").to_list()
    # The first cut in the latter half whose neighbours share a day.
    place = next(row for row in range(180, 240) if first[row] == first[row - 1])
    found = checked(events.head(place), events.tail(events.height - place))
    assert [finding.check for finding in found.findings] == ["order"]
    assert "the order of rows alone" in found.findings[0].found


def test_a_cut_between_two_days_is_none(checked: Callable[..., Findings]) -> None:
    early = pl.col("timestamp") < date(2024, 1, 15)
    assert checked(frame(DAYS).filter(early), frame(DAYS).filter(~early)).clean


def test_a_count_of_the_events_that_contradicts_the_clock_is_a_finding(checked: Callable[..., Findings]) -> None:
    train, test = leave_one_out(DAYS)
    counted = pl.concat([train, test]).sort("timestamp", "user_id").with_row_index("event_no", offset=100)
    sides = [side.join(counted, on=COLUMNS) for side in (train, test)]
    assert checked(*sides).clean
    contradicting = sides[1].with_columns(
        event_no=pl.when(pl.col("user_id") == 7).then(pl.lit(3)).otherwise(pl.col("event_no").cast(pl.Int64))
    )
    found = checked(sides[0].cast({"event_no": pl.Int64}), contradicting)
    assert [finding.check for finding in found.findings] == ["order"]
    assert found.findings[0].examples[0].startswith("user 7: train has ")
    assert found.findings[0].examples[0].endswith("test has 3")


def test_numbers_that_do_not_count_the_events_do_not_matter(checked: Callable[..., Findings]) -> None:
    train, test = leave_one_out(DAYS)
    sides = [side.with_columns(price=(pl.col("item_id") * 7919) % 1009) for side in (train, test)]
    assert checked(*sides).clean


def test_without_a_clock_there_is_nothing_to_order(checked: Callable[..., Findings]) -> None:
    found = checked(*(side.drop("timestamp") for side in leave_one_out(DAYS)))
    assert found.not_made["order"] == "the events have no time that tells them apart"
