"""Public sets: real data from their official addresses, checked, as the tables that a dataset is read from.

GroupLens publishes an MD5 beside each file; it tells a broken file from a whole one, and HTTPS vouches for the sender.
"""

import hashlib
import io
import shutil
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit

import polars as pl

from shortlist.errors import ConfigError, DataError, nearest
from shortlist.progress import reached, step

GENRES = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama"),
    *("Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)
"""The genres of MovieLens 100K, in the order of their columns."""
TIMEOUT = 60
"""Seconds without an answer after which a download is given up."""
AT_ONCE = 1 << 20
MOST = 20
"""Times as large as its archive that a set may be."""
_NOTICE = "GroupLens: for research; not to be passed on or used commercially without permission"

Members = Mapping[str, bytes]
"""The files of an archive, by their name without its folder."""
Tables = dict[str, pl.DataFrame]


@dataclass(frozen=True)
class PublicSet:
    """Where a set is, how it is known to be whole, and what makes tables of it."""

    name: str
    what: str
    address: str
    md5: str
    bytes: int
    """More than the archive has, by a little: what is longer is not it."""
    notice: str
    tables: Callable[[Members], Tables]


def get(name: str, folder: str | Path, source: str | Path | None = None) -> Path:
    """The folder with `events.parquet`, `items.parquet`, `users.parquet` of a set, beneath `folder`.

    What stands there already is not fetched again. `source` is a file that was downloaded before, or another address;
    its checksum must be right, too. An unknown name, and an address that is not https (or on this machine), raise
    `ConfigError`; what cannot be fetched, is broken, or is something else, `DataError`, and leaves nothing behind.
    """
    found = known(name)
    place = Path(folder) / name
    if (place / "events.parquet").exists():
        return place
    with step(f"fetch {name}"):
        archive = _archive(found, str(source or found.address))
    with step("make tables of it"):
        tables = found.tables(_members(archive, found))
    place.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=place.parent))
    try:
        for table, frame in tables.items():
            frame.write_parquet(aside / f"{table}.parquet")
        aside.chmod(0o755)
        aside.rename(place)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return place


def known(name: str) -> PublicSet:
    """The set of that name."""
    if name not in SETS:
        raise ConfigError(f"there is no public set {name!r}{nearest(name, SETS)}; there are {', '.join(SETS)}")
    return SETS[name]


def _archive(found: PublicSet, source: str) -> bytes:
    """The bytes of the archive, whole."""
    if "://" in source:
        content = _downloaded(found, source)
    else:
        try:
            content = Path(source).read_bytes()
        except OSError as error:
            raise DataError(f"{source!r} cannot be read: {error}") from None
    sum_of_it = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if sum_of_it != found.md5:
        raise DataError(
            f"{source!r} is not {found.name}, or is broken: its MD5 is {sum_of_it} ({len(content):,} bytes), "
            f"that of the set {found.md5}; fetch it again, or look at {found.address} for what has changed"
        )
    return content


def _downloaded(found: PublicSet, address: str) -> bytes:
    _check(address)
    try:
        with _OPENER.open(address, timeout=TIMEOUT) as answer:
            content = bytearray()
            while part := answer.read(AT_ONCE):
                content += part
                reached(f"{len(content) / 1e6:.0f} MB")
                if len(content) > found.bytes:
                    raise DataError(f"{address!r} is longer than {found.name}, so it is something else")
            length = answer.headers.get("Content-Length")
    except (URLError, OSError, HTTPException) as error:
        raise DataError(
            f"{address!r} cannot be fetched: {error}; fetch {found.address} by other means and name the file "
            "with --from"
        ) from None
    if length is not None and int(length) != len(content):
        raise DataError(f"{address!r} broke off after {len(content):,} of {int(length):,} bytes: try again")
    return bytes(content)


def _check(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in {"localhost", "127.0.0.1", "::1"}):
        raise ConfigError(f"{address!r} is not fetched: only https is, and http from this machine")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows where an address sends us, if we would have gone there ourselves."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
        _check(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_OPENER = urllib.request.build_opener(_Redirects)


def _members(archive: bytes, found: PublicSet) -> Members:
    """The files in the archive; names with a way out of it are refused, and more than it can hold."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            total = 0
            members = {}
            for info in opened.infolist():
                path = Path(info.filename)
                if path.is_absolute() or ".." in path.parts:
                    raise DataError(f"the archive of {found.name} names {info.filename!r}, outside itself")
                total += info.file_size
                if total > MOST * found.bytes:
                    raise DataError(f"the archive of {found.name} unpacks to more than {MOST} times its size")
                if not info.is_dir():
                    members[path.name] = opened.read(info)
            return members
    except zipfile.BadZipFile as error:
        raise DataError(f"the archive of {found.name} is no zip file: {error}") from None


def _rows(members: Members, file: str, separator: str, columns: list[str]) -> pl.DataFrame:
    """The rows of a file in Latin-1, all columns as text."""
    if file not in members:
        raise DataError(f"the archive lacks {file!r}; it has {', '.join(sorted(members))}")
    lines = members[file].decode("latin-1").splitlines()
    rows = [line.split(separator) for line in lines if line]
    return pl.DataFrame([row[: len(columns)] for row in rows], schema=dict.fromkeys(columns, pl.String), orient="row")


def _numbers(frame: pl.DataFrame, *names: str) -> pl.DataFrame:
    return frame.with_columns(pl.col(*names).cast(pl.Int64))


_SAID = ["user_id", "item_id", "rating", "timestamp"]


def _movielens_100k(members: Members) -> Tables:
    """Ratings with their official folds: `fold` (u1 to u5), `ua_test`, `ub_test`."""
    said = _numbers(_rows(members, "u.data", "\t", _SAID), *_SAID)
    keys = ["user_id", "item_id"]
    tests = {
        name: _numbers(_rows(members, f"{name}.test", "\t", _SAID), *_SAID).select(keys)
        for name in ("u1", "u2", "u3", "u4", "u5", "ua", "ub")
    }
    folds = pl.concat([tests[f"u{n}"].with_columns(fold=pl.lit(n, pl.Int64)) for n in range(1, 6)])
    events = said.join(folds, on=keys, how="left", maintain_order="left")
    for name in ("ua", "ub"):
        held = tests[name].with_columns(pl.lit(True).alias(f"{name}_test"))
        events = events.join(held, on=keys, how="left", maintain_order="left")
        events = events.with_columns(pl.col(f"{name}_test").fill_null(value=False))
    films = _rows(members, "u.item", "|", ["item_id", "title", "release_date", "video", "imdb_url", *GENRES])
    genres = pl.concat_list(pl.when(pl.col(name) == "1").then(pl.lit(name)) for name in GENRES).list.drop_nulls()
    items = _numbers(films, "item_id").select("item_id", "title", "release_date", "imdb_url", genres=genres)
    columns = ["user_id", "age", "gender", "occupation", "zip_code"]
    return {
        "events": events,
        "items": items,
        "users": _numbers(_rows(members, "u.user", "|", columns), "user_id", "age"),
    }


def _movielens_1m(members: Members) -> Tables:
    films = _numbers(_rows(members, "movies.dat", "::", ["item_id", "title", "genres"]), "item_id")
    columns = ["user_id", "gender", "age", "occupation", "zip_code"]
    return {
        "events": _numbers(_rows(members, "ratings.dat", "::", _SAID), *_SAID),
        "items": films.with_columns(pl.col("genres").str.split("|")),
        "users": _numbers(_rows(members, "users.dat", "::", columns), "user_id", "age", "occupation"),
    }


SETS = {
    found.name: found
    for found in (
        PublicSet(
            "movielens-100k",
            "100,000 ratings (1 to 5) of 1,682 films by 943 users, with the official folds",
            "https://files.grouplens.org/datasets/movielens/ml-100k.zip",
            "0e33842e24a9c977be4e0107933c0723",
            6_000_000,
            _NOTICE,
            _movielens_100k,
        ),
        PublicSet(
            "movielens-1m",
            "1,000,209 ratings (1 to 5) of 3,706 films by 6,040 users",
            "https://files.grouplens.org/datasets/movielens/ml-1m.zip",
            "c4d9eecfca2ab87c1945afe126590906",
            7_000_000,
            _NOTICE,
            _movielens_1m,
        ),
    )
}
