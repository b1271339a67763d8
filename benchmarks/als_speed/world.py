"""A made-up world of ten million events, in the form of the other sets: `write(FOLDER)`.

200,000 users, 50,000 items. There are 32 kinds of taste; a kind shows item i with a probability in proportion to
popularity 1 / (place + 10)^0.5 times exp(3 g), g normal for each kind and item; a user mixes the kinds by a sparse
Dirichlet and draws lognormally many events. So the table of probabilities has rank 32, which is what a factor model
looks for: the true probabilities themselves reach an NDCG@10 of about 0.09, popularity 0.02. Of 20,000 users one event
at random is left out.

Some twenty seconds, 1 GB at the peak.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from defaults_quality import sets

USERS, ITEMS, KINDS, EVENTS, JUDGED = 200_000, 50_000, 32, 10_000_000, 20_000
SEED = 0


def write(folder: Path, users: int = USERS, items: int = ITEMS, events: int = EVENTS, judged: int = JUDGED) -> Path:
    """The folder, with train.parquet and test.parquet unless they stand there."""
    if (folder / "test.parquet").exists():
        return folder
    generator = np.random.default_rng(SEED)
    shares_KI = np.exp(3 * generator.standard_normal((KINDS, items)))
    shares_KI /= (generator.permutation(items) + 10.0) ** 0.5
    mix_UK = generator.gamma(0.1, size=(users, KINDS)) + 1e-6
    count_U = generator.lognormal(0, 1, users)
    # Some are drawn twice, and a pair counts once.
    count_U = np.ceil(np.clip(count_U * 1.17 * events / count_U.sum(), 5, items / 20)).astype(np.int64)
    user_N = np.repeat(np.arange(users), count_U)
    kind_N = _drawn(np.cumsum(mix_UK, axis=1), user_N, generator)
    item_N = np.empty(len(user_N), np.int64)
    for kind in range(KINDS):
        ends_I = np.cumsum(shares_KI[kind])
        chosen = np.flatnonzero(kind_N == kind)
        item_N[chosen] = np.searchsorted(ends_I, generator.random(len(chosen)) * ends_I[-1], side="right")
    pair_N = np.unique(user_N * items + np.minimum(item_N, items - 1))
    rows = pd.DataFrame(dict(zip(("user_id", "item_id"), np.divmod(pair_N, items), strict=True)), dtype=np.int32)
    ends_U = np.flatnonzero(np.diff(rows["user_id"], append=-1)) + 1
    starts_U = np.concatenate([[0], ends_U[:-1]])
    chosen = generator.choice(np.flatnonzero(ends_U - starts_U > 1), judged, replace=False)
    out = np.zeros(len(rows), dtype=bool)
    out[generator.integers(starts_U[chosen], ends_U[chosen])] = True
    sets.write_cut(folder, rows[~out], rows[out])
    return folder


def _drawn(ends_UK: np.ndarray, user_N: np.ndarray, generator: np.random.Generator, block: int = 1 << 20) -> np.ndarray:
    """(N,) a kind for each event, in proportion to the shares whose running sums are given."""
    kind_N = np.empty(len(user_N), np.int8)
    for start in range(0, len(user_N), block):
        ends_BK = ends_UK[user_N[start : start + block]]
        chance_B = generator.random(len(ends_BK)) * ends_BK[:, -1]
        kind_N[start : start + block] = (ends_BK[:, :-1] <= chance_B[:, None]).sum(axis=1)
    return kind_N
