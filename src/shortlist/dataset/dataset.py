"""Dataset: events, items and users in dense ids, as of a moment."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import ibis
import polars as pl

from shortlist.dataset import relations
from shortlist.dataset.ids import IdMap, dense_ids
from shortlist.errors import DataError
from shortlist.moments import written
from shortlist.progress import step
from shortlist.tables.engine import Engine
from shortlist.tables.read import Checked, read_events, read_items, read_users


@dataclass(frozen=True)
class Dataset:
    """What happened before `as_of`, and to whom and what.

    `events` has the columns `user`, `item` (dense ids), `timestamp` (int64 microseconds, all before `as_of`), `weight`
    (float64) and whatever else the source had. `items` and `users` have a row for every known item and user: `item` and
    `item_id`, `user` and `user_id`, and their attributes (null where the source did not know them). All three are Ibis
    tables on `engine`: nothing is computed until somebody asks.
    """

    engine: Engine
    events: ibis.Table
    items: ibis.Table
    users: ibis.Table
    item_ids: IdMap
    user_ids: IdMap
    as_of: int
    sources: Mapping[str, Checked]

    @classmethod
    def read(
        cls,
        events: Any,
        items: Any = None,
        users: Any = None,
        *,
        engine: str | Engine = "duckdb",
        memory: str = "4GB",
        columns: Mapping[str, Mapping[str, str]] | None = None,
        max_rejects: float = 0.05,
    ) -> "Dataset":
        """The dataset in files (paths, globs, directories of CSV, JSONL or Parquet) or in frames of any library.

        Usual column names are matched (`columns={"events": {"user_id": "buyer"}}` names others); rows that break a rule
        are set apart, and more than `max_rejects` of them in one table raise `RejectsError`. `sources` tells what was
        matched and what was set apart. Events without a time all happen at once, before `as_of`.
        """
        engine = engine if isinstance(engine, Engine) else Engine.open(engine, memory=memory)
        columns = columns or {}
        checked = {"events": read_events(events, engine, columns=columns.get("events"), max_rejects=max_rejects)}
        if items is not None:
            checked["items"] = read_items(items, engine, columns=columns.get("items"), max_rejects=max_rejects)
        if users is not None:
            checked["users"] = read_users(users, engine, columns=columns.get("users"), max_rejects=max_rejects)
        with step("give every id its number"):
            return _dense(engine, checked)

    def before(self, moment: int) -> "Dataset":
        """The dataset as it was at a moment: only events strictly before it."""
        if moment > self.as_of:
            raise DataError(f"the data end before {written(self.as_of)}: they cannot be seen as of {written(moment)}")
        return replace(self, events=self.events.filter(self.events.timestamp < moment), as_of=moment)

    def between(self, start: int, end: int) -> "Dataset":
        """Only the events from `start` (included) to `end` (excluded), and the users who have one."""
        within = self.events.filter((self.events.timestamp >= start) & (self.events.timestamp < end))
        return replace(self, events=within, users=self.users.semi_join(within, "user"), as_of=min(end, self.as_of))

    def pairs(self) -> pl.DataFrame:
        """Who met what: each (`user_id`, `item_id`) of the events once, in the caller's own ids."""
        pairs = self.engine.frame(self.events.select("user", "item").distinct().order_by("user", "item"))
        return pl.DataFrame(
            {
                "user_id": self.user_ids.originals(pairs["user"]),
                "item_id": self.item_ids.originals(pairs["item"]),
            }
        )

    def fingerprint(self) -> dict[str, int]:
        """Numbers that change when the events do: rows, users, items, and a checksum that knows no order of rows."""
        e, prime = self.events, 2_147_483_647
        weight = (e.weight * relations.MICRO).round().cast("int64") % prime
        mixed = (
            e.user.cast("int64") * 1_000_003 + e.item.cast("int64") * 10_007 + e.timestamp % prime + weight * 101
        ) % prime
        # Squared, so that two events that swap an item, a time or a weight are not the same as before.
        mixed = mixed * mixed % prime
        counted = e.aggregate(
            events=e.count(),
            users=e.user.nunique(),
            items=e.item.nunique(),
            checksum=mixed.cast("int64").sum(),
        )
        return {name: int(value or 0) for name, value in self.engine.frame(counted).row(0, named=True).items()}


_CLOCK = ("timestamp", "weight")


def _dense(engine: Engine, checked: Mapping[str, Checked]) -> Dataset:
    events = checked["events"].table
    if "timestamp" not in events.columns:
        events = events.mutate(timestamp=ibis.literal(0, type="int64"))
    user_ids, user_table = _known(engine, "user", events, checked.get("users"))
    item_ids, item_table = _known(engine, "item", events, checked.get("items"))
    other = [name for name in events.columns if name not in {"user_id", "item_id", "user", "item", *_CLOCK}]
    rest = [*_CLOCK, *other]
    dense = (
        events.select("user_id", "item_id", *rest)
        .inner_join(user_table.select("user", "user_id"), "user_id")
        .inner_join(item_table.select("item", "item_id"), "item_id")
        .select("user", "item", *rest)
    )
    # Sorted by user and time, so that histories are slices and a block of users is a run of row groups.
    kept = engine.keep(dense.order_by(["user", "timestamp", "item"]))
    # DuckDB writes a literal 1.0 as a decimal and 0 as an int32, whatever Ibis calls them: only now can they be cast.
    kept = kept.mutate(timestamp=kept.timestamp.cast("int64"), weight=kept.weight.cast("float64"))
    newest = engine.frame(kept.aggregate(newest=kept.timestamp.max()))["newest"][0]
    return Dataset(
        engine=engine,
        events=kept,
        items=item_table,
        users=user_table,
        item_ids=item_ids,
        user_ids=user_ids,
        as_of=int(newest) + 1,
        sources=dict(checked),
    )


def _known(engine: Engine, name: str, events: ibis.Table, attributes: Checked | None) -> tuple[IdMap, ibis.Table]:
    """The ids of one kind, and their table: every id of the events or the attributes once, by dense number."""
    id_name = f"{name}_id"
    tables = [events] if attributes is None else [events, attributes.table]
    ids, numbered = dense_ids(engine, id_name, tables)
    numbered = numbered.rename({name: "number"})
    if attributes is None:
        return ids, numbered
    clashing = {name} & set(attributes.table.columns)
    table = attributes.table.drop(*clashing) if clashing else attributes.table
    joined = numbered.left_join(table, id_name).select(name, id_name, *(c for c in table.columns if c != id_name))
    return ids, engine.keep(joined.order_by(name))
