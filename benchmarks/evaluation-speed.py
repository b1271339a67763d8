"""The evaluation of a million lists: how fast, how large, and beside RecTools and ranx.

A made-up world: 50,000 items with popularity as 1 / place, a list of 100 distinct ones for each user, 10 true items,
of which a list finds the more likely the higher it puts them (recall@100 is about 0.3). Users' ids are numbers in no
order. map@12, ndcg@10 and recall@100 are judged; ours with 1,000 draws of the bootstrap, which the others do not have.

Each contestant has a process of its own, in turn, in three rounds; figures are medians, a ratio is of two of one round.
Each reads the same Parquet files; the clock runs from frames in memory to values, after a small call that compiles and
warms. ranx wants dictionaries of text: at a million users they would take some 25 GB, more than this machine has, so it
is judged on half a million, with ours beside it, and the ratio leaves out the making of them (`seconds_made`). Its
kernels alone are told too, on arrays in which everything is looked up and in order already. All values must agree to
1e-9: with 10 true items the definitions are the same, also that of MAP (10 is below 12).

The limit, on one core of this machine: reading the lists' 1.2 GB takes 0.03 s, comparing each place with each true item
(10⁹ comparisons in vectors) 0.13 s, sorting the codes of each list to find repeats 0.1 s; the draws of the bootstrap,
three million binomials for the classes of users alike and a count for each other user, 0.5 s. Looking up 100 million
rows and putting them in their places, 10 ns a row, is the rest. Memory beside the frames: 2 bytes a place for the codes
(4 where ids are more than 65,535 apart) and 1 for the hits, 0.3 GB.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import polars as pl

import _peers
import _result

SCRIPTS = Path(__file__).parent / "evaluation_speed"
USERS, USERS_OF_RANX = 1_000_000, 500_000
ITEMS, PLACES, TRUE = 50_000, 100, 10
DRAWS, REPEATS, SEED = 1000, 3, 0
_DRAWN = 256
"""Items drawn for a user, of which the first 110 different ones are taken."""
_BLOCK = 1 << 14


def main() -> None:
    """Make the worlds, let each contestant judge them in turn, check that all agree, and write the result."""
    told: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        for users, spread in ((USERS, 1), (USERS_OF_RANX, 1), (USERS, 40)):
            world(Path(folder, f"{users}x{spread}"), users, spread)
        large, small, far = (f"{folder}/{name}" for name in (f"{USERS}x1", f"{USERS_OF_RANX}x1", f"{USERS}x40"))
        for _ in range(REPEATS):
            told["shortlist", USERS].append(_ours(large, DRAWS))
            told["shortlist without intervals", USERS].append(_ours(large, 1))
            told["shortlist, item ids up to 2,000,000", USERS].append(_ours(far, DRAWS))
            told["RecTools", USERS].append(_peers.run(SCRIPTS / "by_rectools.py", large))
            told["shortlist", USERS_OF_RANX].append(_ours(small, DRAWS))
            told["shortlist without intervals", USERS_OF_RANX].append(_ours(small, 1))
            told["ranx", USERS_OF_RANX].append(_peers.run(SCRIPTS / "by_ranx.py", small, str(os.cpu_count())))
            print({key: round(runs[-1]["seconds"], 2) for key, runs in told.items()}, flush=True)
    _check(told)
    _result.write("evaluation-speed", _figures(told), [row for key, runs in told.items() for row in _rows(*key, runs)])


def world(folder: Path, users: int, spread: int) -> None:
    """Writes lists.parquet and truth.parquet; `spread` is how far apart the items' ids are."""
    generator = np.random.default_rng(SEED)
    shares_I = np.cumsum(1.0 / np.arange(1, ITEMS + 1))
    shares_I /= shares_I[-1]
    names_I = (generator.permutation(ITEMS).astype(np.int32) + 1) * spread
    ids_U = generator.choice(8 * users, users, replace=False).astype(np.int32)
    found_K = 0.23 / np.arange(2, PLACES + 2) ** 0.6
    lists_UK, true_UT = np.empty((users, PLACES), np.int32), np.empty((users, TRUE), np.int32)
    for start in range(0, users, _BLOCK):
        block = slice(start, start + _BLOCK)
        drawn_BD = np.searchsorted(shares_I, generator.random((len(ids_U[block]), _DRAWN)))
        items_BK = names_I[_first_different(drawn_BD, PLACES + TRUE)]
        # The true items: those of the list that are found, best place first, then others that the list does not hold.
        missed_BK = np.ones(items_BK.shape, dtype=bool)
        missed_BK[:, PLACES:] = False
        missed_BK[:, :PLACES] = generator.random((len(items_BK), PLACES)) >= found_K
        order_BT = np.argsort(missed_BK, axis=1, kind="stable")[:, :TRUE]
        lists_UK[block], true_UT[block] = items_BK[:, :PLACES], np.take_along_axis(items_BK, order_BT, axis=1)
    folder.mkdir()
    ranks_N = np.tile(np.arange(1, PLACES + 1, dtype=np.int32), users)
    lists = {"user_id": np.repeat(ids_U, PLACES), "item_id": lists_UK.ravel(), "rank": ranks_N}
    pl.DataFrame(lists).write_parquet(folder / "lists.parquet")
    truth = {"user_id": np.repeat(ids_U, TRUE), "item_id": true_UT.ravel()}
    pl.DataFrame(truth).write_parquet(folder / "truth.parquet")


def _first_different(drawn_BD: np.ndarray, count: int) -> np.ndarray:
    """The first `count` different numbers of each row, in the order in which they were drawn."""
    keys_BD = np.sort(drawn_BD * _DRAWN + np.arange(_DRAWN), axis=1)
    numbers_BD, places_BD = np.divmod(keys_BD, _DRAWN)
    again_BD = np.zeros(keys_BD.shape, dtype=bool)
    again_BD[:, 1:] = numbers_BD[:, 1:] == numbers_BD[:, :-1]
    if (np.count_nonzero(~again_BD, axis=1) < count).any():
        sys.exit(f"{_DRAWN} draws held fewer than {count} different items: draw more")
    order_BC = np.argsort(np.where(again_BD, _DRAWN, places_BD), axis=1)[:, :count]
    return np.take_along_axis(numbers_BD, order_BC, axis=1)


def _ours(folder: str, draws: int) -> dict[str, Any]:
    command = [sys.executable, str(SCRIPTS / "by_ours.py"), folder, str(draws)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    told: dict[str, Any] = json.loads(done.stdout)
    return told | {"version": f"shortlist {_result.version()}"}


def _check(told: dict[tuple[str, int], list[dict[str, Any]]]) -> None:
    for (model, users), runs in told.items():
        for run in runs:
            for metric, value in told["shortlist", users][0]["values"].items():
                if abs(run["values"][metric] - value) > 1e-9:
                    sys.exit(f"{model} finds {metric} = {run['values'][metric]} of {users:,} users, ours is {value}")


def _figures(told: dict[tuple[str, int], list[dict[str, Any]]]) -> dict[str, float]:
    def rounds(model: str, users: int, name: str = "seconds") -> np.ndarray:
        return np.array([run[name] for run in told[model, users]])

    ours, plain = rounds("shortlist", USERS), rounds("shortlist without intervals", USERS)
    fewer, fewer_plain = rounds("shortlist", USERS_OF_RANX), rounds("shortlist without intervals", USERS_OF_RANX)
    rectools, ranx = rounds("RecTools", USERS), rounds("ranx", USERS_OF_RANX)
    made, kernels = (rounds("ranx", USERS_OF_RANX, f"seconds_{part}") for part in ("made", "kernels"))
    found = {
        "seconds": ours,
        "seconds_without_intervals": plain,
        "peak_mb": rounds("shortlist", USERS, "peak_mb").max(),
        "ratio_to_rectools": ours / rectools,
        "ratio_to_rectools_without_intervals": plain / rectools,
        "ratio_to_ranx_warm": fewer / ranx,
        "ratio_to_ranx_warm_without_intervals": fewer_plain / ranx,
        "ratio_to_ranx_from_frames_without_intervals": fewer_plain / (made + ranx),
        "ratio_to_ranx_kernels_alone_without_intervals": fewer_plain / kernels,
    }
    return {
        name: round(float(np.median(values)), 4 if name.startswith("ratio") else 2) for name, values in found.items()
    }


def _rows(model: str, users: int, runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    common = {
        "data": f"made up: {users:,} users, {ITEMS:,} items",
        "split": f"{PLACES} recommended, {TRUE} true",
        "model": model,
        "ours": model.startswith("shortlist"),
        "version": runs[0]["version"],
        "seed": SEED,
    }
    measured = [
        common | {"metric": name, "value": round(median(values), 3), "repeats": [round(value, 3) for value in values]}
        for name in ("seconds", "seconds_made", "seconds_kernels", "peak_mb")
        if (values := [run[name] for run in runs if name in run])
    ]
    ends = runs[0].get("ends", {}) if "without" not in model else {}
    values = [
        common
        | {"metric": metric, "value": round(value, 6)}
        | (dict(zip(("low", "high"), (round(end, 6) for end in ends[metric]), strict=True)) if ends else {})
        for metric, value in runs[0]["values"].items()
    ]
    return [*measured, *values]


if __name__ == "__main__":
    main()
