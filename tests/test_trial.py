"""Trials: what a process of its own made is what this one would have made, and what went wrong there is told here."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import shortlist as sl
from shortlist import trial as room
from shortlist.account import peak_memory_mb
from shortlist.config import parse
from shortlist.settings import Settings
from shortlist.trial import apart, trial, tried


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 events of 20 people among 15 things over 100 days."""
    chance = np.random.default_rng(3)
    file = tmp_path_factory.mktemp("events") / "events.parquet"
    seconds = np.sort(chance.integers(0, 100 * 86_400, 300)) + 1_500_000_000
    made = {"user": chance.integers(0, 20, 300), "item": chance.zipf(1.3, 300) % 15, "time": pl.from_epoch(seconds)}
    pl.DataFrame(made).write_parquet(file)
    return file


def settings(events: Path, retriever: dict[str, Any], **changes: Any) -> Settings:
    values = {
        "data": {"events": str(events)},
        "split": {"kind": "last_n", "n": 1},
        "pipeline": {"retrievers": [retriever]},
        "metrics": ["map@5"],
        "k": 5,
    }
    return parse(Settings, values | changes)


def test_the_lists_of_a_process_of_its_own_are_those_of_this_one(events: Path, tmp_path: Path) -> None:
    chosen = settings(events, {"kind": "user_knn", "recent": "90d"})
    lists, costs = tried(chosen, tmp_path)
    split = sl.last_n(sl.Dataset.read(str(events)))
    users = split.test.pairs()["user_id"].unique(maintain_order=True)
    assert lists.equals(chosen.pipeline.fit(split.train).recommend(users, 5))
    assert list(costs) == ["read", "fit", "recommend"]
    peaks = [costs[name]["peak_memory_mb"] for name in costs]
    assert peaks == sorted(peaks)
    assert all(costs[name]["seconds"] > 0 for name in costs)


def test_the_memory_of_a_process_of_its_own_is_its_own(events: Path, tmp_path: Path) -> None:
    before = peak_memory_mb()
    if before is None:
        pytest.skip("this system does not tell what a process uses")
    large = np.ones(150_000_000)  # 1.2 GB, which a small process does not need
    _, costs = tried(settings(events, {"kind": "popular"}), tmp_path)
    assert large.sum() == len(large)
    assert peak_memory_mb() >= 1_200  # type: ignore[operator]
    assert costs["recommend"]["peak_memory_mb"] < 1_200


def test_what_goes_wrong_there_is_raised_here_as_what_it_was(events: Path, tmp_path: Path) -> None:
    with pytest.raises(sl.DataError, match="the items have no column 'colour'"):
        tried(settings(events, {"kind": "same_attribute", "column": "colour"}), tmp_path)
    with pytest.raises(sl.StoreError, match="there is no such directory"):
        apart("recommend", str(tmp_path / "run"), "--all")
    with pytest.raises(sl.ConfigError, match=r"split"):
        trial(settings(events, {"kind": "popular"}, split=None), tmp_path / "lists.parquet")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "killed by signal 9"),
        ("raise RuntimeError('the unexpected')", "^RuntimeError: the unexpected$"),
        ("import sys; sys.exit(9)", "^it ended with code 9 and told no reason$"),
    ],
)
def test_a_process_that_breaks_is_told(
    script: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {room.sys.executable} -c "{script}"\n')
    python.chmod(0o755)
    monkeypatch.setattr(room.sys, "executable", str(python))
    with pytest.raises(sl.ShortlistError, match=message):
        apart("fit")
