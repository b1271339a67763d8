from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from shortlist.leaks.findings import Findings

LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyz     "))
EVENTS = pl.DataFrame(
    [(user, 1000 + 4 * user + n) for user in range(100) for n in range(2)], schema=["user_id", "item_id"], orient="row"
)
HELD = pl.col("user_id") < 25


def told(length: int, copies: int, edit: str = "") -> pl.DataFrame:
    """A text of its own for each user, but the first held-out ones have those of users in train."""
    chance = np.random.default_rng(1)
    texts = ["x " + "".join(chance.choice(LETTERS, length - 2)) for _ in range(100)]
    texts[:copies] = [text + edit for text in texts[50 : 50 + copies]]
    return pl.DataFrame({"user_id": range(100), "title": texts})


@pytest.mark.parametrize(
    ("length", "copies", "leak"),
    [(100, 0, False), (100, 2, False), (100, 3, True), (40, 3, False), (40, 5, True), (15, 25, False)],
)
def test_how_many_copies_are_a_finding_depends_on_the_length(
    checked: Callable[..., Findings], length: int, copies: int, leak: bool
) -> None:
    found = checked(EVENTS.filter(~HELD), EVENTS.filter(HELD), users=told(length, copies))
    assert [(finding.check, finding.count) for finding in found.findings] == [("texts", copies)] * leak


def test_a_changed_letter_hides_no_copy(checked: Callable[..., Findings]) -> None:
    found = checked(EVENTS.filter(~HELD), EVENTS.filter(HELD), users=told(100, 4, edit="!?"))
    assert [(finding.check, finding.count) for finding in found.findings] == [("texts", 4)]
    assert found.findings[0].examples[0].startswith("user 0 is like 50: 'x ")


def test_the_texts_of_new_items_are_compared_too(checked: Callable[..., Findings]) -> None:
    items = EVENTS.select(
        "item_id", name=pl.format("a thing with a long name that says that it is made of {}", "item_id")
    )
    found = checked(EVENTS.filter(~HELD), EVENTS.filter(HELD), items=items)
    assert [finding.check for finding in found.findings] == ["texts"]


def test_categories_and_codes_are_no_texts(checked: Callable[..., Findings]) -> None:
    users = pl.DataFrame(
        {
            "user_id": range(100),
            "kind": [
                f"a rather long description of the kind number {n % 3} of all the kinds there are" for n in range(100)
            ],
            "code": ["https://example.org/a/very/long/address/that/all/of/them/have/in/common"] * 100,
        }
    )
    found = checked(EVENTS.filter(~HELD), EVENTS.filter(HELD), users=users)
    assert found.clean
    assert "have texts long enough" in found.not_made["texts"]


def test_in_a_split_by_time_new_things_that_resemble_old_ones_are_a_note(checked: Callable[..., Findings]) -> None:
    timed = EVENTS.with_columns(timestamp=1_700_000_000 - 1000 * pl.col("user_id"))
    found = checked(timed.filter(~HELD), timed.filter(HELD), users=told(100, 10))
    assert found.clean
    assert any("10 have nearly the text" in note for note in found.notes)
