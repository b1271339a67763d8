"""Vector cache: vectors of texts on disk, found again by what the text and its encoder are.

A part is a file that never changes: keys in ascending order beside their vectors, both mapped when they are read. Who
adds writes a new part aside and moves it into place, so that several processes may add at one time; parts are joined
once there are many. Losing the folder loses nothing but time.

Shapes: N texts, D numbers of a vector.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from uuid import uuid4

import numpy as np

KEY = np.dtype([("high", "<u8"), ("low", "<u8")])
"""128 bits of a hash: of a billion texts two are one with a probability of 10⁻²¹."""
PARTS = 16
"""Parts from which on they are made one."""


def folder(named: str) -> Path | None:
    """Where vectors are kept: the folder that is named, that of the user's caches for "auto", nowhere for "none"."""
    if named == "none":
        return None
    if named != "auto":
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "shortlist/vectors"


def keys_of(rows: Iterable[bytes]) -> np.ndarray:
    """A key (of type `KEY`) for each row of bytes."""
    digests = b"".join(blake2b(row, digest_size=16).digest() for row in rows)
    return np.frombuffer(digests, KEY)


def cached(
    place: Path | None, keys_N: np.ndarray, encode: Callable[[np.ndarray], np.ndarray], width: int
) -> np.ndarray:
    """The vectors (float32, N × D) of keys: those of `place`, and of the others what `encode` makes of their numbers.

    What is made is kept in `place`, unless that cannot be written to.
    """
    unique, first, back = np.unique(keys_N, return_index=True, return_inverse=True)
    vectors = np.zeros((len(unique), width), np.float32)
    missing = np.ones(len(unique), bool)
    for known, values in _parts(place):
        if values.shape[1] != width or not len(known):
            continue
        at = np.minimum(np.searchsorted(known, unique), len(known) - 1)
        found = missing & (known[at] == unique)
        vectors[found] = values[at[found]]
        missing &= ~found
    if missing.any():
        vectors[missing] = encode(first[missing])
        if place is not None:
            with suppress(OSError):
                _kept(place, unique[missing], vectors[missing])
    return vectors[back.ravel()]


def _parts(place: Path | None) -> list[tuple[np.ndarray, np.ndarray]]:
    """The keys and the vectors of each part; what another process has just joined is left out."""
    parts = []
    for file in sorted(place.glob("*.vectors")) if place is not None and place.is_dir() else ():
        with suppress(OSError, ValueError):
            parts.append(_mapped(file))
    return parts


def _mapped(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """A part: its number of rows, its width (int64 each), its keys, its vectors. A torn one raises `ValueError`."""
    rows, width = (int(number) for number in np.fromfile(file, "<i8", 2))
    if file.stat().st_size != 16 + rows * (KEY.itemsize + 4 * width):
        raise ValueError(f"{file} is torn")
    keys = np.memmap(file, KEY, "r", offset=16, shape=(rows,))
    return keys, np.memmap(file, "<f4", "r", offset=16 + rows * KEY.itemsize, shape=(rows, width))


def _kept(place: Path, keys: np.ndarray, vectors: np.ndarray) -> None:
    place.mkdir(parents=True, exist_ok=True)
    _written(place, keys, vectors)
    files = sorted(place.glob("*.vectors"))
    if len(files) < PARTS:
        return
    parts = [part for part in _parts(place) if part[1].shape[1] == vectors.shape[1]]
    together, first = np.unique(np.concatenate([keys for keys, _ in parts]), return_index=True)
    _written(place, together, np.concatenate([values for _, values in parts])[first])
    for file in files:
        file.unlink(missing_ok=True)


def _written(place: Path, keys: np.ndarray, vectors: np.ndarray) -> None:
    name = uuid4().hex[:16]
    aside = place / f".{name}"
    with aside.open("wb") as out:
        for part in _whole(keys, vectors):
            part.tofile(out)
    aside.replace(place / f"{name}.vectors")


def _whole(keys: np.ndarray, vectors: np.ndarray) -> Sequence[np.ndarray]:
    return np.array(vectors.shape, "<i8"), np.ascontiguousarray(keys), np.ascontiguousarray(vectors, "<f4")
