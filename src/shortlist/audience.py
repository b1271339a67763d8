"""Audience: whom a pipeline is asked about and what is told of them, from the caller's ids to dense numbers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from shortlist.dataset.ids import IdMap
from shortlist.dataset.relations import MICRO
from shortlist.errors import ConfigError, DataError
from shortlist.models import able
from shortlist.models.retrieval import Retriever
from shortlist.tables.frames import column_names, columns_of, ids_of
from shortlist.threads import blocks


@dataclass(frozen=True)
class Audience:
    """The users asked for, each once: their `ids` and their dense `users` (int32), those of strangers beyond all known.

    `exclude` (`user`, `item`) must not be answered; `events` (`user`, `item`, `weight` in whole micro-units, `moment`
    of the last one; each pair once) is all that those of its users did. Both are sorted by user, and None where nothing
    was given.
    """

    ids: pl.Series
    users: np.ndarray
    exclude: pl.DataFrame | None = None
    events: pl.DataFrame | None = None

    def blocks(self, size: int) -> Iterator["Audience"]:
        """The same, at most `size` users at a time; one block of nobody where nobody is asked for."""
        for start, end in blocks(len(self.users), size) or [(0, 0)]:
            users = self.users[start:end]
            frames = [None if frame is None else rows_of(frame, users) for frame in (self.exclude, self.events)]
            yield Audience(self.ids[start:end], users, *frames)

    @property
    def frame(self) -> pl.DataFrame:
        """The users as `user` and `user_id`."""
        return pl.DataFrame({"user": self.users, "user_id": self.ids})

    @property
    def history(self) -> pl.DataFrame | None:
        """What those with `events` did: `user`, `item`, `weight` (float32), `newer` (int32: how many items came later).

        Pairs of no positive weight are none.
        """
        if self.events is None:
            return None
        later = pl.col("moment").rank("min", descending=True).over("user") - 1
        told = self.events.filter(pl.col("weight") > 0)
        return told.select("user", "item", (pl.col("weight") / MICRO).cast(pl.Float32), newer=later.cast(pl.Int32))

    def barred(self, seen: pl.DataFrame | None) -> pl.DataFrame | None:
        """The pairs that must not be answered: the excluded ones, and where `seen` is given what users had.

        That is `seen` (`user`, `item`, sorted by user), or for those who have `events` these in its place.
        """
        parts = [] if self.exclude is None else [self.exclude]
        if seen is not None:
            told = np.array([], np.int32) if self.events is None else self.events["user"].to_numpy()
            parts.append(rows_of(seen, self.users[~np.isin(self.users, told)]))
            parts += [] if self.events is None else [self.events.select("user", "item")]
        return pl.concat(parts).unique() if parts else None


def audience(users: Any, user_ids: IdMap, item_ids: IdMap, exclude: Any = None, events: Any = None) -> Audience:
    """The `users` (ids, or a table with a column `user_id`), each once, in the order given, and what is told of them.

    None for the users are all that are known. `exclude` and `events` are tables of `user_id`, `item_id`; events have a
    `weight` and a `timestamp` where there is one (else 1, and all at once). Rows of users who are not asked for, and of
    items that nobody knows, count for nothing. A user whose events come to nothing is a stranger: of what they did
    nothing is left.
    """
    if users is None:
        ids, numbers = user_ids.ids, np.arange(len(user_ids), dtype=np.int32)
    else:
        ids = ids_of(users, "user_id").unique(maintain_order=True)
        ids = ids.cast(user_ids.ids.dtype) if ids.dtype == pl.Null else ids
        numbers = user_ids.numbers(ids)
    did = None if events is None else _placed(_weighed(events), ids, item_ids)
    barred = None
    if exclude is not None:
        barred = _placed(columns_of(exclude, ("user_id", "item_id"), "the pairs to exclude"), ids, item_ids)
    if did is not None:
        known = did.filter(pl.col("item") >= 0)
        summed = known.group_by("place", "item").agg(pl.col("weight").sum(), pl.col("moment").max())
        something = summed.filter(pl.col("weight") > 0)["place"]
        numbers[np.setdiff1d(did["place"].to_numpy(), something.to_numpy())] = -1
        did = summed
    strangers = numbers < 0
    numbers[strangers] = len(user_ids) + np.arange(strangers.sum(), dtype=np.int32)
    return Audience(
        ids,
        numbers,
        exclude=None if barred is None else _numbered(barred.filter(pl.col("item") >= 0).unique(), numbers),
        events=None if did is None else _numbered(did, numbers),
    )


def check_folding(retrievers: Mapping[str, Retriever], *, ranker: bool) -> None:
    """Raises `ConfigError` where what users did since cannot be taken: by a ranker, by one without `folds_in`."""
    if ranker:
        raise ConfigError(
            "this pipeline has a ranker, whose features know only the events of the fit: fit it again with the new "
            "ones, or fit a pipeline without a ranker, which takes events as they come"
        )
    unable = [name for name, model in retrievers.items() if not getattr(model, "folds_in", False)]
    if unable:
        raise ConfigError(
            f"{', '.join(unable)} cannot take what users did since the fit: fit the pipeline again with new events, "
            f"or one of retrievers that take them as they come ({', '.join(able('folds_in'))})"
        )


def rows_of(frame: pl.DataFrame, users: np.ndarray) -> pl.DataFrame:
    """The rows of `users` in a frame that is sorted by `user`: found by halving, in the order of `users`."""
    of, wanted = frame["user"], pl.Series(users, dtype=pl.Int32)
    starts, ends = (of.search_sorted(wanted, side).to_numpy().astype(np.int64) for side in ("left", "right"))
    lengths = ends - starts
    firsts = np.cumsum(lengths) - lengths
    return frame[np.repeat(starts - firsts, lengths) + np.arange(lengths.sum())]


def _weighed(events: Any) -> pl.DataFrame:
    """Events of a caller: `user_id`, `item_id`, `weight` in whole micro-units, so that no order of addition changes a
    bit, and `moment`, which only tells earlier from later.
    """
    there = [name for name in ("weight", "timestamp") if name in column_names(events, "the events")]
    frame = columns_of(events, ("user_id", "item_id", *there), "the events")
    weight = frame["weight"] if "weight" in there else pl.repeat(1.0, frame.height, dtype=pl.Float64, eager=True)
    if not weight.dtype.is_numeric() or not weight.cast(pl.Float64).is_finite().all():
        raise DataError(f"the events have weights that are no finite numbers (of type {weight.dtype}): mend them")
    micro = (weight.cast(pl.Float64) * MICRO).round(mode="half_away_from_zero").cast(pl.Int64)
    moment = frame["timestamp"] if "timestamp" in there else pl.repeat(0, frame.height, dtype=pl.Int64, eager=True)
    if moment.dtype == pl.String:
        try:
            moment = moment.str.to_datetime(time_unit="us")
        except pl.exceptions.PolarsError:
            raise DataError(f"the events have timestamps such as {moment[0]!r}: write 2024-05-31 12:00:00") from None
    if not (moment.dtype.is_numeric() or moment.dtype.is_temporal()):
        raise DataError(f"the events have timestamps that are no times (of type {moment.dtype}): mend them")
    return frame.select("user_id", "item_id", weight=micro, moment=moment)


def _placed(rows: pl.DataFrame, ids: pl.Series, item_ids: IdMap) -> pl.DataFrame:
    """The rows of those in `ids`: their `place` there, the dense `item` (-1: not known), and what else there is."""
    place = pl.Series("place", IdMap(ids).numbers(rows["user_id"]))
    item = pl.Series("item", item_ids.numbers(rows["item_id"]))
    return rows.select(place, item, pl.all().exclude("user_id", "item_id")).filter(pl.col("place") >= 0)


def _numbered(rows: pl.DataFrame, numbers: np.ndarray) -> pl.DataFrame:
    """The rows with the dense `user` in place of their `place`, sorted."""
    users = pl.Series("user", numbers[rows["place"].to_numpy()], dtype=pl.Int32)
    return rows.select(users, pl.all().exclude("place")).sort("user", "item")
