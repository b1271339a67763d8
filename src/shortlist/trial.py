"""Trial: one pipeline fitted and asked for lists in a process of its own, and what that took.

A process does not give back what it used, so memory is told truly only of one that did nothing else.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl

from shortlist import experiment
from shortlist.account import spent
from shortlist.config import to_toml
from shortlist.dataset.dataset import Dataset
from shortlist.errors import ConfigError, DataError, ShortlistError, StoreError
from shortlist.pipeline import Pipeline
from shortlist.progress import step
from shortlist.settings import Settings
from shortlist.tables import samples
from shortlist.tables.engine import Engine
from shortlist.tables.write import write_frames

_ERRORS: dict[int, type[ShortlistError]] = {3: ConfigError, 4: DataError, 5: StoreError}
"""What the command line told by its exit code."""


def tried(settings: Settings, folder: Path) -> tuple[pl.DataFrame, dict[str, Any]]:
    """The lists of a trial and its costs, made in a process of its own; `folder` is empty and takes the files.

    A trial that fails raises what it told on its way out: `ShortlistError` or one of its kinds.
    """
    recipe, lists = folder / "recipe.toml", folder / "lists.parquet"
    recipe.write_text(to_toml(settings), encoding="utf-8")
    costs = json.loads(apart("trial", str(recipe), "--out", str(lists)))
    return pl.read_parquet(lists), costs


def trial(settings: Settings, lists: Path) -> dict[str, Any]:
    """Fits on the train part of the tables, writes the lists of the users of the test part, and tells the costs.

    These are, for each of `read`, `fit` and `recommend`, the `seconds` and the `peak_memory_mb` until its end. What is
    compiled when it is first used is compiled before the clock starts.
    """
    recipe = settings.recipe_of_lists
    _warm(recipe)
    costs: dict[str, Any] = {}
    with Engine.open(settings.data.engine, memory=settings.data.memory) as engine:
        with step("read the tables"), spent(costs, "read"):
            split = experiment.split_of(settings, experiment.read(settings, engine))
            if split is None:
                raise ConfigError("a trial needs a [split]: without one there is nobody to recommend to")
            users = split.test.pairs()["user_id"].unique(maintain_order=True)
        with step("fit"), spent(costs, "fit"):
            pipeline = recipe.fit(split.train, seed=settings.seed)
        with step("recommend"), spent(costs, "recommend"):
            found = pipeline.recommend(users, settings.k)
    write_frames([found], lists)
    return costs


def apart(*words: str) -> str:
    """What a command of ours answers, such as `fit --config a.toml`, run in a process of its own."""
    command = [sys.executable, "-P", "-m", "shortlist", *words, "--json", "--quiet"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)  # noqa: S603
    if done.returncode < 0:
        raise ShortlistError(f"the process was killed by signal {-done.returncode}, perhaps for want of memory")
    if done.returncode:
        _, ours, told = done.stderr.strip().rpartition("shortlist: ")
        if not ours:  # a traceback, whose last line says what it was
            told = (told or f"it ended with code {done.returncode} and told no reason").splitlines()[-1]
        raise _ERRORS.get(done.returncode, ShortlistError)(told)
    return done.stdout


def _warm(recipe: Pipeline) -> None:
    """Fits and asks once on a world that is nothing, so that every loop that the recipe needs is compiled."""
    with Engine.open() as engine:
        board = Dataset.read(samples.checkerboard(8, 8), engine=engine)
        try:
            recipe.fit(board).recommend(board.user_ids.ids, 2)
        except ShortlistError:
            return  # such as one that wants a column: the true fit will tell, if it fails there too
