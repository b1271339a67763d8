import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from shortlist import store
from shortlist.config import Config
from shortlist.errors import StoreError


class Recipe(Config):
    kind: str = "recipe"
    rounds: int = 3
    window: str | None = "7d"


@dataclass(frozen=True)
class Part:
    name: str
    frame: pl.DataFrame


@dataclass(frozen=True)
class Whole:
    recipe: Recipe
    none: str | None
    flag: bool
    count: int
    share: float
    names: tuple[str, ...]
    frame: pl.DataFrame
    series: pl.Series
    part: Part
    parts: tuple[Part, ...]
    named: Mapping[str, Part]
    mixed: Mapping[str, Any]


@dataclass(frozen=True)
class Pair:
    one: Any
    other: Any


KINDS: dict[str, type] = {kind.__name__: kind for kind in (Recipe, Part, Whole)}
FRAME = pl.DataFrame(
    {"user": pl.Series([1, 2], dtype=pl.Int32), "score": [0.1, None], "text": ["ä/..", None], "list": [[1], []]}
)


def whole(count: int = 7) -> Whole:
    return Whole(
        recipe=Recipe(rounds=9, window=None),
        none=None,
        flag=True,
        count=count,
        share=0.1 + 0.2,
        names=("a", "b/../c"),
        frame=FRAME,
        series=pl.Series("user_id", ["x", "y"]),
        part=Part("one", FRAME.head(1)),
        parts=(Part("two", FRAME.head(0)), Part("three", FRAME)),
        named={"../../etc": Part("four", FRAME), "popular": Part("five", FRAME.clear())},
        mixed={"n": 1, "t": "text", "f": FRAME, "s": FRAME["user"]},
    )


def save(path: Path, thing: Any) -> None:
    with store.replacing(path) as (contents, manifest):
        manifest["thing"] = store.write(contents / "thing", thing)


def load(path: Path) -> Any:
    return store.read(store.contents_of(path) / "thing", store.manifest(path)["thing"], KINDS)


def same(one: Any, other: Any) -> None:
    assert type(one) is type(other)
    if isinstance(one, pl.DataFrame):
        assert_frame_equal(one, other)
    elif isinstance(one, pl.Series):
        assert one.equals(other, check_dtypes=True, check_names=True)
    elif isinstance(one, Mapping):
        assert list(one) == list(other)
        for key in one:
            same(one[key], other[key])
    elif isinstance(one, tuple):
        assert len(one) == len(other)
        for left, right in zip(one, other, strict=True):
            same(left, right)
    elif isinstance(one, Part | Whole):
        for name in vars(one):
            same(getattr(one, name), getattr(other, name))
    else:
        assert one == other


@pytest.fixture
def run(tmp_path: Path) -> Path:
    save(tmp_path / "run", whole())
    return tmp_path / "run"


# what is stored


def test_every_kind_of_field_comes_back_as_it_was(run: Path) -> None:
    same(load(run), whole())


def test_nothing_is_written_outside_the_directory_and_nothing_is_pickled(run: Path) -> None:
    assert [place.name for place in run.parent.iterdir()] == ["run"]
    kinds = {place.suffix for place in run.rglob("*") if place.is_file()}
    assert kinds <= {".parquet", ".json", ""}


def test_what_cannot_be_stored_is_told_by_its_type(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="a set cannot be stored"):
        save(tmp_path / "run", Pair(1, {2}))


def test_a_stored_thing_takes_the_place_of_the_one_before(run: Path) -> None:
    save(run, whole(8))
    assert load(run).count == 8
    assert len(list(run.glob(".contents-*"))) == 1


# what is there already


def test_other_files_beside_a_stored_thing_are_never_touched(run: Path) -> None:
    (run / "notes.txt").write_text("mine")
    (run / "plots").mkdir()
    (run / "plots" / "a.png").write_text("mine")
    save(run, whole(8))
    assert (run / "notes.txt").read_text() == (run / "plots" / "a.png").read_text() == "mine"


@pytest.mark.parametrize("name", ["notes.txt", "manifest.json"])
def test_a_directory_of_other_files_is_refused_and_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('{"name": "a web page"}')
    with pytest.raises(StoreError, match="holds other files"):
        save(tmp_path, whole())
    assert [place.name for place in tmp_path.iterdir()] == [name]


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine")
    with pytest.raises(StoreError, match="is a file: name a directory"):
        save(tmp_path / "run", whole())


def test_an_empty_directory_and_a_deep_new_one_are_taken(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    save(tmp_path / "empty", whole())
    save(tmp_path / "a" / "b" / "c", whole())
    assert load(tmp_path / "a" / "b" / "c").count == load(tmp_path / "empty").count == 7


# what goes wrong


def fail(path: Path) -> None:
    """A write that ends in an exception when all its frames have been written."""
    with pytest.raises(TypeError, match="a set cannot be stored"):
        save(path, Pair(whole(99), {"a set"}))


def test_an_exception_midway_leaves_the_previous_and_sweeps_its_own(run: Path) -> None:
    before = sorted(run.rglob("*"))
    fail(run)
    assert sorted(run.rglob("*")) == before
    same(load(run), whole())


def test_after_a_first_write_that_failed_the_next_one_succeeds(tmp_path: Path) -> None:
    fail(tmp_path / "run")
    with pytest.raises(StoreError, match="is not a stored run"):
        load(tmp_path / "run")
    save(tmp_path / "run", whole())
    same(load(tmp_path / "run"), whole())


def test_a_failed_write_leaves_a_run_of_another_format_whole(run: Path) -> None:
    told = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps(told | {"format": 99}))
    before = sorted(run.rglob("*"))
    fail(run)
    assert sorted(run.rglob("*")) == before


def test_a_second_writer_is_refused_and_the_first_one_finishes(run: Path) -> None:
    with store.replacing(run) as (contents, manifest):
        manifest["thing"] = store.write(contents / "thing", whole(8))
        with pytest.raises(StoreError, match="another process is writing"):
            save(run, whole(9))
    assert load(run).count == 8


KILLED = """
import sys, time
from dataclasses import dataclass
from pathlib import Path
import polars as pl
from shortlist import store

@dataclass(frozen=True)
class Part:
    name: str
    frame: pl.DataFrame

point, path = sys.argv[1], Path(sys.argv[2])

def pause(*_):
    print("here", flush=True)
    time.sleep(60)

real_replace = Path.replace
if point == "before the move":
    Path.replace = pause
if point == "after the move":
    Path.replace = lambda *given: (real_replace(*given), pause())
if point == "while syncing":
    store._synced = pause
with store.replacing(path) as (contents, manifest):
    manifest["thing"] = store.write(contents / "thing", Part("new", pl.DataFrame({"a": [1]})))
    if point == "while writing":
        pause()
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL on this system")
@pytest.mark.parametrize(
    ("point", "left"),
    [("while writing", "old"), ("while syncing", "old"), ("before the move", "old"), ("after the move", "new")],
)
def test_killed_at_any_moment_what_is_there_can_be_read_and_the_next_write_sweeps(
    tmp_path: Path, point: str, left: str
) -> None:
    save(tmp_path / "run", Part("old", FRAME))
    (tmp_path / "killed.py").write_text(KILLED)
    command = [sys.executable, str(tmp_path / "killed.py"), point, str(tmp_path / "run")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "here\n"
        os.kill(writer.pid, signal.SIGKILL)
    assert load(tmp_path / "run").name == left
    assert len(list((tmp_path / "run").glob(".contents-*"))) == 2
    save(tmp_path / "run", Part("next", FRAME))
    assert load(tmp_path / "run").name == "next"
    assert len(list((tmp_path / "run").glob(".contents-*"))) == 1
    assert not list((tmp_path / "run").glob(".manifest-*"))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL on this system")
def test_while_another_process_writes_the_previous_can_be_read(run: Path, tmp_path: Path) -> None:
    (tmp_path / "killed.py").write_text(KILLED)
    command = [sys.executable, str(tmp_path / "killed.py"), "before the move", str(run)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "here\n"
        assert load(run).count == 7
        with pytest.raises(StoreError, match="another process is writing"):
            save(run, whole())
        writer.kill()
    save(run, whole(8))
    assert load(run).count == 8


# what is damaged


def told_with(run: Path, **changes: Any) -> None:
    told = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps(told | changes))


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"there is no such directory; `shortlist fit` makes one"):
        load(tmp_path / "none")
    with pytest.raises(StoreError, match=r"it has no manifest\.json"):
        load(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="is not a stored run"):
        load(tmp_path / "file")


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "{}", '{"format": 1}', '{"contents": "x"}'])
def test_a_manifest_that_says_nothing_is_told(run: Path, text: str) -> None:
    (run / "manifest.json").write_text(text)
    with pytest.raises(StoreError, match=r"its manifest\.json cannot be read"):
        load(run)


def test_bytes_that_are_no_text_are_told(run: Path) -> None:
    (run / "manifest.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StoreError, match=r"its manifest\.json cannot be read"):
        load(run)


def test_another_format_is_told_with_both(run: Path) -> None:
    told_with(run, format=99)
    with pytest.raises(StoreError, match="stored in format 99; this version of Shortlist reads format 1"):
        load(run)


@pytest.mark.parametrize("contents", [".contents-none", "..", ".", "../run", "/", "", 3, None])
def test_contents_that_are_not_there_are_told(run: Path, contents: Any) -> None:
    told_with(run, contents=contents)
    with pytest.raises(StoreError, match="is damaged"):
        load(run)


@pytest.mark.parametrize("damage", ["missing", "empty", "cut"])
def test_a_damaged_frame_is_told_with_its_name(run: Path, damage: str) -> None:
    file = store.contents_of(run) / "thing" / "frame.parquet"
    data = file.read_bytes()
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(b"" if damage == "empty" else data[: len(data) // 2])
    with pytest.raises(StoreError, match=r"frame\.parquet is damaged or missing"):
        load(run)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"type": "Other"}, "has no 'Other'"),
        ({"count": {"strange": 3}}, "cannot read what is described there"),
        ({"count": 3}, "cannot read what is described there"),
        ({"extra": {"value": 1}}, r"does not fit this version of Shortlist \(differing: extra\)"),
        ({"recipe": {"recipe": "Gone", "values": {}}}, "cannot read what is described there"),
        ({"recipe": {"recipe": "Part", "values": {}}}, "'Part' is not a recipe"),
        ({"recipe": {"recipe": "Recipe", "values": {"rouds": 3}}}, "did you mean 'rounds'"),
        ({"frame": {"frame": "../../../../secret.parquet"}}, r"secret\.parquet is damaged or missing"),
    ],
)
def test_a_description_that_this_version_does_not_know_is_told(run: Path, change: dict[str, Any], told: str) -> None:
    thing = store.manifest(run)["thing"]
    told_with(run, thing=thing | change)
    with pytest.raises(StoreError, match=told):
        load(run)
