"""A fitted thing as a directory: JSON, Parquet, safetensors and text; never pickle, never half-written.

A fitted thing is a frozen dataclass whose fields are recipes, frames, arrays, sparse matrices (CSR), numbers, texts, or
other fitted things (alone, in a tuple, or in a dictionary by name). `write` puts every frame in a Parquet file, every
array in a safetensors file, and describes the rest in JSON; `read` builds an equal one. Arrays are mapped when they are
read: a page of theirs is in memory once it is used, once for all processes that serve the same directory.

A stored directory is `manifest.json` beside one folder of contents that it names. The contents are written first and
synced; then the manifest is replaced in one move. Whoever is killed before that move leaves the previous manifest and
its contents as they were; what the dead left behind is swept by the next write.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import polars as pl
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from scipy import sparse

from shortlist.config import Config, parse
from shortlist.errors import ConfigError, StoreError

try:
    import fcntl
except ImportError:  # Windows: two writers at once are not told apart there
    fcntl = None  # type: ignore[assignment]

FORMAT = 1
"""Raised when a stored directory can no longer be read by the version before."""

_DTYPES = {"F32": "<f4", "F64": "<f8", "I32": "<i4", "I64": "<i8", "I8": "<i1", "U8": "<u1", "BOOL": "?"}
"""The types of array that are read back, by their names in a safetensors file."""

_CONTENTS, _ASIDE, _LOCK = ".contents-", ".manifest-", ".lock"


def write(folder: Path, thing: Any) -> dict[str, Any]:
    """Writes the frames of a fitted thing under `folder` and gives the JSON description of it."""
    return {"type": type(thing).__name__} | {
        field.name: _written(folder / field.name, getattr(thing, field.name)) for field in fields(thing)
    }


def read(folder: Path, description: Mapping[str, Any], kinds: Mapping[str, type]) -> Any:
    """The fitted thing that `write` described. `kinds` are the classes it may be made of, by name."""
    name = str(description.get("type"))
    if name not in kinds:
        raise StoreError(f"{folder}: this version of Shortlist has no {name!r}; it was stored by another version")
    values = {k: _read(folder / k, v, kinds) for k, v in description.items() if k != "type"}
    expected = {field.name for field in fields(kinds[name])}
    if set(values) != expected:
        odd = ", ".join(sorted(set(values) ^ expected))
        raise StoreError(f"{folder}: a stored {name!r} does not fit this version of Shortlist (differing: {odd})")
    return kinds[name](**values)


@contextmanager
def replacing(path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A folder to write contents into and a manifest to fill; both take the place of what stood at `path` at the end.

    An exception, or a kill at any moment, leaves what stood there before. A second writer at the same path is refused,
    and so is a path that holds something else than a stored directory.
    """
    check_place(path)
    path.mkdir(parents=True, exist_ok=True)
    with _only_writer(path):
        contents = path / f"{_CONTENTS}{uuid4().hex[:12]}"
        contents.mkdir()
        manifest: dict[str, Any] = {"format": FORMAT, "contents": contents.name}
        try:
            yield contents, manifest
            for file in (contents, *contents.rglob("*")):
                _synced(file)
            aside = path / f"{_ASIDE}{contents.name}"
            aside.write_text(json.dumps(manifest, indent=1, ensure_ascii=False), encoding="utf-8")
            _synced(aside)
            aside.replace(path / "manifest.json")
            _synced(path)
        finally:
            _swept(path)


def check_place(path: Path) -> None:
    """Refuses, before work is done for it, a path that holds something else than a stored directory: `StoreError`."""
    if path.exists() and not path.is_dir():
        raise StoreError(f"{str(path)!r} is a file: name a directory")
    if path.is_dir() and not _is_ours(path):
        raise StoreError(f"{str(path)!r} holds other files: name an empty or a new directory, so that nothing is lost")


def manifest(path: str | Path) -> dict[str, Any]:
    """What the manifest of a stored directory says. Anything else at `path` raises `StoreError`."""
    path = Path(path)
    try:
        told = _told(path)
    except FileNotFoundError:
        known = "there is no such directory" if not path.exists() else "it has no manifest.json"
        raise StoreError(f"{str(path)!r} is not a stored run: {known}; `shortlist fit` makes one") from None
    except (OSError, ValueError) as error:
        raise StoreError(f"{str(path)!r} is not a stored run: its manifest.json cannot be read ({error})") from None
    if told["format"] != FORMAT:
        raise StoreError(
            f"{str(path)!r} is stored in format {told['format']}; this version of Shortlist reads format {FORMAT}"
        )
    contents = str(told["contents"])
    if not (contents.startswith(_CONTENTS) and (path / contents).is_dir() and Path(contents).name == contents):
        raise StoreError(f"{str(path)!r} is damaged: the contents that its manifest names are not there")
    return told


def contents_of(path: str | Path) -> Path:
    """The folder that holds the contents of a stored directory now."""
    return Path(path) / str(manifest(path)["contents"])


def _told(path: Path) -> dict[str, Any]:
    """What a manifest of any format says; one that says nothing of the kind raises `ValueError`."""
    told = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
    if not (isinstance(told, dict) and {"format", "contents"} <= told.keys()):
        raise ValueError("it names no format and no contents")
    return told


def _is_ours(path: Path) -> bool:
    """Whether a directory is empty, is stored by us, or holds nothing but what a killed writer left."""
    if (path / "manifest.json").exists():
        try:
            return bool(_told(path))
        except (OSError, ValueError):
            return False
    return all(left.name == _LOCK or left.name.startswith((_CONTENTS, _ASIDE)) for left in path.iterdir())


def _written(place: Path, value: Any) -> Any:
    if isinstance(value, pl.DataFrame):
        place.parent.mkdir(parents=True, exist_ok=True)
        value.write_parquet(place.with_name(place.name + ".parquet"), compression="zstd", row_group_size=100_000)
        return {"frame": place.name + ".parquet"}
    if isinstance(value, pl.Series):
        return {"series": _written(place, value.to_frame())["frame"]}
    if isinstance(value, np.ndarray):
        return {"array": _arrays_written(place, {"array": value})}
    if isinstance(value, sparse.csr_array):
        parts = {"starts": value.indptr, "columns": value.indices, "values": value.data}
        return {"sparse": _arrays_written(place, parts), "shape": list(value.shape)}
    if isinstance(value, Config):
        return {"recipe": type(value).__name__, "values": value.model_dump(mode="json")}
    if isinstance(value, str | int | float | bool | None):
        return {"value": value}
    if isinstance(value, tuple | list):
        return {"tuple": [_written(place / str(i), v) for i, v in enumerate(value)]}
    if is_dataclass(value):
        return {"thing": write(place, value)}
    if isinstance(value, Mapping):
        return {"mapping": {str(k): _written(place / str(i), v) for i, (k, v) in enumerate(value.items())}}
    raise TypeError(f"a {type(value).__name__} cannot be stored")


def _read(place: Path, described: Mapping[str, Any], kinds: Mapping[str, type]) -> Any:
    match described:
        case {"frame": str(file)}:
            return _frame(place.parent / Path(file).name)
        case {"series": str(file)}:
            return _frame(place.parent / Path(file).name).to_series()
        case {"array": str(file)}:
            return _arrays(place.parent / Path(file).name, "array")[0]
        case {"sparse": str(file), "shape": [int(rows), int(columns)]}:
            starts, column, values = _arrays(place.parent / Path(file).name, "starts", "columns", "values")
            return sparse.csr_array((values, column, starts), shape=(rows, columns))
        case {"recipe": str(name), "values": dict(values)} if name in kinds:
            return _recipe(place, kinds[name], values)
        case {"value": value}:
            return value
        case {"tuple": list(parts)}:
            return tuple(_read(place / str(i), part, kinds) for i, part in enumerate(parts))
        case {"mapping": dict(parts)}:
            return {k: _read(place / str(i), part, kinds) for i, (k, part) in enumerate(parts.items())}
        case {"thing": dict(description)}:
            return read(place, description, kinds)
    raise StoreError(f"{place}: this version of Shortlist cannot read what is described there: {str(described)[:80]}")


def _recipe(place: Path, kind: type, values: Mapping[str, Any]) -> Config:
    if not issubclass(kind, Config):
        raise StoreError(f"{place}: {kind.__name__!r} is not a recipe")
    try:
        return parse(kind, values, where=str(place))
    except ConfigError as error:
        raise StoreError(f"{error}\nit was stored by another version of Shortlist, or damaged since") from None


def _frame(file: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(file)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise StoreError(f"{file} is damaged or missing: {error}") from None


def _arrays_written(place: Path, arrays: dict[str, np.ndarray]) -> str:
    place.parent.mkdir(parents=True, exist_ok=True)
    file = place.with_name(place.name + ".safetensors")
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, file)
    return file.name


def _arrays(file: Path, *names: str) -> list[np.ndarray]:
    """Arrays of a safetensors file, mapped into memory and read-only."""
    try:
        with safe_open(file, framework="np") as opened:
            shapes = {name: opened.get_slice(name).get_shape() for name in names}
        with file.open("rb") as stream:
            beyond = int.from_bytes(stream.read(8), "little")
            told = json.loads(stream.read(beyond))
    except (OSError, SafetensorError, KeyError) as error:
        raise StoreError(f"{file} is damaged or missing: {error}") from None
    arrays = []
    for name in names:
        kind, start = _DTYPES[told[name]["dtype"]], 8 + beyond + told[name]["data_offsets"][0]
        shape = tuple(shapes[name])
        empty = 0 in shape
        arrays.append(np.zeros(shape, kind) if empty else np.memmap(file, kind, "r", offset=start, shape=shape))
    return arrays


@contextmanager
def _only_writer(path: Path) -> Iterator[None]:
    with (path / _LOCK).open("w") as lock:
        if fcntl is not None:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise StoreError(
                    f"another process is writing {str(path)!r}: wait for it, or name another directory"
                ) from None
        yield


def _swept(path: Path) -> None:
    """Removes every folder of contents that the manifest does not name; the writer's lock is held."""
    try:
        current = str(_told(path)["contents"])
    except FileNotFoundError:
        current = ""
    for left in path.glob(f"{_CONTENTS}*"):
        if left.name != current:
            shutil.rmtree(left, ignore_errors=True)
    for left in path.glob(f"{_ASIDE}*"):
        left.unlink(missing_ok=True)


def _synced(file: Path) -> None:
    handle = os.open(file, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
