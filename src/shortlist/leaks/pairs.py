"""Check: the same pair on both sides.

A row of the test part that stands in train, the same user, item and moment, is a leak always. The same user and item
at another moment is one only where pairs do not repeat by nature: in train less than `REPEATS` of the events are a
repeat. There even, as many as `SLACK` times the share of repeats in train is nature, for later events repeat oftener
than early ones. Groceries, songs and visits repeat, and are not reported.
"""

from ibis import _

from shortlist.leaks.findings import Finding, Looked
from shortlist.leaks.sides import Sides

REPEATS = 0.01
"""Share of train events that repeat a pair, from which repeats are natural."""
SLACK = 10
"""Times the share of repeats in train that the test part may have of pairs in train."""


def check(sides: Sides) -> Looked:
    """Rows, and where pairs do not repeat by nature pairs, that stand on both sides."""
    return Looked(findings=(*_rows(sides), *_pairs(sides)))


def _rows(sides: Sides) -> tuple[Finding, ...]:
    engine = sides.train.engine
    rows = engine.frame(sides.doubled.aggregate(n=_.count())).item()
    if not rows:
        return ()
    some = engine.frame(sides.doubled.order_by(["user", "timestamp", "item"]).limit(3))
    told = zip(sides.ids("user", some["user"]), sides.ids("item", some["item"]), some["timestamp"], strict=True)
    return (
        Finding(
            "pairs",
            f"{rows:,} events of the test part stand in train as well, the same user, item and moment",
            rows,
            tuple(f"user {user}, item {item}, {sides.told(when)}" for user, item, when in told),
            "a model that remembers train has the answer before it is asked",
            "take these rows out of train; where they come from, rows were copied or joined twice",
        ),
    )


def _pairs(sides: Sides) -> tuple[Finding, ...]:
    engine = sides.train.engine
    pairs = sides.train.events.select("user", "item").distinct()
    train_n, _test_n = sides.sizes
    different = engine.frame(pairs.aggregate(n=_.count())).item()
    repeats = 1 - different / max(train_n, 1)
    if repeats >= REPEATS:
        return ()
    tested = sides.test.events.select("user", "item").distinct()
    both = engine.keep(tested.semi_join(pairs, ["user", "item"]), "pairs on both sides")
    found, asked = (engine.frame(table.aggregate(n=_.count())).item() for table in (both, tested))
    if not found or found <= SLACK * repeats * asked:
        return ()
    some = engine.frame(both.order_by(["user", "item"]).limit(3))
    told = zip(sides.ids("user", some["user"]), sides.ids("item", some["item"]), strict=True)
    return (
        Finding(
            "pairs",
            f"{found:,} of {asked:,} pairs of the test part have events in train too, though in train only "
            f"{repeats:.2%} of the events repeat a pair",
            found,
            tuple(f"user {user}, item {item}" for user, item in told),
            "in these data nobody meets an item twice, so train tells what the test part asks",
            "keep all events of a pair on one side (at_random does), or take these pairs out of the test part",
        ),
    )
