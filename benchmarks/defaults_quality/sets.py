"""The sets that defaults are judged on, cut into train and test: `sets.py SHARED_DATA FOLDER [SET ...]`.

FOLDER/SET/train.parquet and test.parquet: user_id and item_id (int32), and `timestamp` (seconds) or `position` where
the order is known; each pair once, no weights. Ids are numbers without gaps in the order of the set's own ids, those of
train first, so the catalogue is the items 0 to the largest of train, and an item of test beyond is one that nobody can
find. Where the order is known, the last event of each user is left out.

The measure is NDCG@10 with binary gain, the ideal cut at min(10, true items), over the users that have both training
events and true items; others are not judged. Items of a user's training are never shown.

Runs in our Python and in the peers'.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

Frames = tuple[pd.DataFrame, pd.DataFrame]
K = 10
SEED = 0


@dataclass(frozen=True)
class Cut:
    """Letters: U users of train, I items of train, N judged users, J all items."""

    name: str
    train: pd.DataFrame
    matrix: sparse.csr_matrix
    """(U, I) float32, ones."""
    users: np.ndarray
    """(N,) the judged users, ascending."""
    true: sparse.csr_matrix
    """(N, J) their true items."""

    def some(self, count: int, seed: int = 0) -> "Cut":
        """The same with `count` of the judged users, drawn at random; itself where there are no more."""
        if count >= len(self.users):
            return self
        rows = np.sort(np.random.default_rng(seed).choice(len(self.users), count, replace=False))
        return Cut(self.name, self.train, self.matrix, self.users[rows], self.true[rows])

    def ndcg(self, lists: np.ndarray) -> np.ndarray:
        """(N,) of each judged user; `lists` (N, K) holds items, best first, -1 where there is none."""
        count, items = self.true.shape
        lists = lists[:, :K].astype(np.int64)
        rows = np.arange(count)[:, None]
        true = np.repeat(np.arange(count), np.diff(self.true.indptr)) * items + self.true.indices
        hit = np.isin(rows * items + lists, true) & (lists >= 0)
        discount = 1 / np.log2(np.arange(2, K + 2))
        ideal = np.cumsum(discount)[np.minimum(np.diff(self.true.indptr), K) - 1]
        return (hit @ discount[: lists.shape[1]]) / ideal


def read(folder: str | Path) -> Cut:
    """The set that sets.py wrote into a folder."""
    folder = Path(folder)
    train, test = (pd.read_parquet(folder / f"{part}.parquet") for part in ("train", "test"))
    users, items = train["user_id"].max() + 1, max(train["item_id"].max(), test["item_id"].max()) + 1
    known = test[test["user_id"] < users]
    judged = np.unique(known["user_id"])
    true = _ones(np.searchsorted(judged, known["user_id"]), known["item_id"], (len(judged), items))
    matrix = _ones(train["user_id"], train["item_id"], (users, train["item_id"].max() + 1))
    return Cut(folder.name, train, matrix, judged, true)


def _ones(rows: Any, columns: Any, shape: tuple[int, int]) -> sparse.csr_matrix:
    matrix = sparse.csr_matrix((np.ones(len(rows), np.float32), (np.asarray(rows), np.asarray(columns))), shape=shape)
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix


def shared_data() -> Path:
    """The folder of real data, from SHORTLIST_DATA."""
    return Path(os.environ.get("SHORTLIST_DATA", Path(__file__).parents[3] / "shared/data"))


def write(name: str, data: Path, folder: Path) -> Path:
    """The folder of the set, made under `folder` unless it stands there."""
    made = folder / name
    if not (made / "test.parquet").exists():
        write_cut(made, *SETS[name](data / name))
    return made


def write_cut(made: Path, train: pd.DataFrame, test: pd.DataFrame) -> None:
    """Writes train.parquet and test.parquet with numbers for ids; test last: where it is, both are."""
    made.mkdir(parents=True, exist_ok=True)
    for column in ("user_id", "item_id"):
        known, others = np.unique(train[column]), np.setdiff1d(test[column], train[column])
        number = pd.Series(np.arange(len(known) + len(others), dtype=np.int32), np.concatenate([known, others]))
        train, test = (frame.assign(**{column: number[frame[column]].to_numpy()}) for frame in (train, test))
    train.to_parquet(made / "train.parquet", index=False)
    test.to_parquet(made / "test.parquet", index=False)


def _ml_100k(data: Path) -> Frames:
    """All ratings as events; those of one second in the order of the file."""
    return _last_out(_read(data / "ratings", "timestamp"), ["timestamp"])


def _by_position(data: Path) -> Frames:
    return _last_out(_read(data / "interactions", "position"), ["position"])


def _lastfm(data: Path) -> Frames:
    """The split that LightGCN was published with."""
    return _read(data / "train"), _read(data / "test")


def _citeulike(data: Path) -> Frames:
    """A fifth of each user's articles, drawn at random and rounded down, is left out."""
    events = _read(data / "interactions").sort_values(["user_id", "item_id"], ignore_index=True)
    chance = pd.Series(np.random.default_rng(SEED).random(len(events)))
    of_user = chance.groupby(events["user_id"])
    out = of_user.rank(method="first") <= of_user.transform("size") // 5
    return events[~out], events[out]


def _complete_journey(data: Path) -> Frames:
    """Items that a household ever bought, at the first purchase of each; the newest fifth of each household is out.

    Of one item alone out, the standard error would be a seventh of the value.
    """
    rows = pd.read_parquet(data / "transactions.parquet", columns=["user_id", "item_id", "quantity", "timestamp"])
    rows = rows[rows["quantity"] > 0].drop(columns="quantity")
    rows["timestamp"] = rows["timestamp"].astype("datetime64[s]").astype("int64")
    events = rows.groupby(["user_id", "item_id"], as_index=False).min()
    events = events.sort_values(["user_id", "timestamp", "item_id"], ignore_index=True)
    of_user = events.groupby("user_id")["item_id"]
    out = of_user.cumcount(ascending=False) < np.maximum(1, of_user.transform("size") // 5)
    return events[~out], events[out]


def _read(path: Path, *more: str) -> pd.DataFrame:
    return pd.read_parquet(path.with_suffix(".parquet"), columns=["user_id", "item_id", *more])


def _last_out(events: pd.DataFrame, order: list[str]) -> Frames:
    """The last event of each user apart, rows in the order of users and events."""
    events = events.sort_values(["user_id", *order], kind="stable", ignore_index=True)
    last = ~events["user_id"].duplicated(keep="last")
    return events[~last], events[last]


SETS: dict[str, Callable[[Path], Frames]] = {
    "ml-100k": _ml_100k,
    "amazon-video_sasrec": _by_position,
    "amazon-beauty_s3rec": _by_position,
    "amazon-sports_s3rec": _by_position,
    "av_challenges": _by_position,
    "lastfm_lightgcn": _lastfm,
    "citeulike-a": _citeulike,
    "complete_journey": _complete_journey,
}


if __name__ == "__main__":
    for chosen in sys.argv[3:] or SETS:
        print(write(chosen, Path(sys.argv[1]), Path(sys.argv[2])))
