"""Files: what a path, a glob or a folder names, and their format, told by their endings."""

import glob
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shortlist.errors import DataError

Format = Literal["csv", "jsonl", "parquet"]
Where = str | Path | Iterable[str | Path]

_ENDINGS: dict[str, Format] = {
    ".csv": "csv", ".tsv": "csv", ".csv.gz": "csv", ".tsv.gz": "csv",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".jsonl.gz": "jsonl", ".ndjson.gz": "jsonl",
    ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip


@dataclass(frozen=True)
class Files:
    """Files of one format, in the order of their names."""

    format: Format
    paths: tuple[str, ...]


def files_at(where: Where) -> Files:
    """The files that a path, a glob, a folder or a list of these names, and their one format.

    Hidden files and those that begin with `_` are passed over in a folder. Nothing found, an unknown ending,
    and endings of several formats raise `DataError`.
    """
    places = [where] if isinstance(where, str | Path) else list(where)
    paths = sorted({str(path) for place in places for path in _expanded(Path(place).expanduser())})
    named = ", ".join(repr(str(place)) for place in places)
    if not paths:
        raise DataError(f"there is no file at {named}: give a file, a folder, or a pattern such as 'events/*.parquet'")
    formats = {path: _format(path) for path in paths}
    unknown = [path for path, form in formats.items() if form is None]
    if unknown:
        raise DataError(f"{unknown[0]!r} has an ending that is not read: {', '.join(_ENDINGS)} are")
    kinds = sorted({form for form in formats.values() if form})
    if len(kinds) > 1:
        examples = ", ".join(repr(next(p for p, form in formats.items() if form == kind)) for kind in kinds)
        raise DataError(f"{named} mixes {' and '.join(kinds)} ({examples}): name one format, such as '*.{kinds[0]}'")
    return Files(kinds[0], tuple(paths))


def _expanded(place: Path) -> list[Path]:
    if place.is_dir():
        inside = (path for path in place.rglob("*") if path.is_file())
        return [path for path in inside if not path.relative_to(place).as_posix().startswith((".", "_"))]
    if place.is_file():
        return [place]
    found = glob.glob(str(place), recursive=True)  # noqa: PTH207  (a Path globs below itself alone)
    return [Path(path) for path in found if Path(path).is_file()]


def _format(path: str) -> Format | None:
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    return _ENDINGS.get("".join(suffixes[-2:])) or _ENDINGS.get("".join(suffixes[-1:]))
