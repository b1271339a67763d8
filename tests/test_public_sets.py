"""Public sets: fetched from a server that stands here, checked, made into tables, and nothing left of what failed."""

import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

import shortlist as sl
from shortlist import public_sets
from shortlist.cli import app
from shortlist.errors import ConfigError, DataError
from shortlist.public_sets import GENRES, get

PAIRS = [(u, i) for u in range(1, 6) for i in range(1, 5)]


def lines(pairs: list[tuple[int, int]]) -> str:
    return "".join(f"{u}\t{i}\t{1 + (u + i) % 5}\t{880_000_000 + u}\n" for u, i in pairs)


def archive(**more: str) -> bytes:
    """Five users and four films in the layout of MovieLens 100K."""
    flags = ["0"] * len(GENRES)
    flags[1] = flags[5] = "1"
    files = {
        "u.data": lines(PAIRS),
        "u.item": "".join(f"{i}|Café {i} (1995)|01-Jan-1995||http://x/{i}|{'|'.join(flags)}\n" for i in range(1, 5)),
        "u.user": "".join(f"{u}|{20 + u}|F|writer|0{u}234\n" for u in range(1, 6)),
        **{f"u{n}.test": lines([pair for place, pair in enumerate(PAIRS) if place % 5 == n - 1]) for n in range(1, 6)},
        "ua.test": lines(PAIRS[:3]),
        "ub.test": lines(PAIRS[3:6]),
    }
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as opened:
        for name, text in {**{f"ml-100k/{name}": text for name, text in files.items()}, **more}.items():
            opened.writestr(name, text.encode("latin-1"))
    return content.getvalue()


class Server:
    """Serves an archive; counts who asks, breaks off where it is told to, or sends people elsewhere."""

    def __init__(self) -> None:
        self.content, self.asked, self.breaks_off, self.elsewhere = archive(), 0, False, ""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked += 1
                if outer.elsewhere:
                    self.send_response(302)
                    self.send_header("Location", outer.elsewhere)
                    self.end_headers()
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(outer.content)))
                self.end_headers()
                self.wfile.write(outer.content[: 100 if outer.breaks_off else None])

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}/ml-100k.zip"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    server = Server()
    threading.Thread(target=server.http.serve_forever, daemon=True).start()
    known = public_sets.SETS["movielens-100k"]
    whole = hashlib.md5(server.content, usedforsecurity=False).hexdigest()
    monkeypatch.setitem(public_sets.SETS, known.name, replace(known, address=server.address, md5=whole))
    yield server
    server.http.shutdown()
    server.http.server_close()


def test_a_set_is_fetched_once_and_made_into_tables(server: Server, tmp_path: Path) -> None:
    place = get("movielens-100k", tmp_path)
    assert get("movielens-100k", tmp_path) == place
    assert server.asked == 1
    events, items, users = (pl.read_parquet(place / f"{name}.parquet") for name in ("events", "items", "users"))
    assert events.columns == ["user_id", "item_id", "rating", "timestamp", "fold", "ua_test", "ub_test"]
    assert events.select("user_id", "item_id").rows() == PAIRS
    assert events["fold"].to_list() == [1 + place % 5 for place in range(20)]
    assert events["ua_test"].sum() == events["ub_test"].sum() == 3
    assert items.row(0, named=True) == {
        "item_id": 1,
        "title": "Café 1 (1995)",
        "release_date": "01-Jan-1995",
        "imdb_url": "http://x/1",
        "genres": ["Action", "Comedy"],
    }
    assert users["zip_code"].to_list()[0] == "01234"
    split = sl.by_column(sl.Dataset.read(events, items, users), "fold", 1)
    assert split.test.pairs().rows() == PAIRS[::5]


def test_the_command_says_where_it_is_what_is_asked_and_what_to_try(server: Server, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["data", "get", "movielens-100k", "--folder", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "events.parquet" in done.stdout
    assert "GroupLens: for research" in done.stdout
    assert "shortlist compare" in done.stdout
    names = [row["name"] for row in json.loads(CliRunner().invoke(app, ["data", "list", "--json"]).stdout)]
    assert names == ["movielens-100k", "movielens-1m"]


def test_an_archive_that_is_there_is_taken(server: Server, tmp_path: Path) -> None:
    (tmp_path / "mine.zip").write_bytes(server.content)
    assert (get("movielens-100k", tmp_path / "sets", tmp_path / "mine.zip") / "users.parquet").exists()
    assert server.asked == 0


def test_what_breaks_off_or_is_something_else_leaves_nothing(server: Server, tmp_path: Path) -> None:
    server.breaks_off = True
    with pytest.raises(DataError, match=r"cannot be fetched|broke off after 100 of"):
        get("movielens-100k", tmp_path)
    server.breaks_off, server.content = False, archive(extra="something else")
    with pytest.raises(DataError, match="is not movielens-100k, or is broken: its MD5 is"):
        get("movielens-100k", tmp_path)
    server.content = b"x" * 7_000_000
    with pytest.raises(DataError, match="longer than movielens-100k"):
        get("movielens-100k", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (archive(**{"../escape": "x"}), "outside itself"),
        (b"no zip at all", "no zip file"),
        (archive(**{"ml-100k/bomb": "0" * 130_000_000}), "more than 20 times its size"),
    ],
    ids=["a way out", "no zip", "a bomb"],
)
def test_archives_that_mean_harm_are_refused(content: bytes, told: str, tmp_path: Path, server: Server) -> None:
    found = public_sets.SETS["movielens-100k"]
    public_sets.SETS["movielens-100k"] = replace(found, md5=hashlib.md5(content, usedforsecurity=False).hexdigest())
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DataError, match=told):
        get("movielens-100k", tmp_path / "sets", tmp_path / "a.zip")
    assert not (tmp_path / "escape").exists()


def test_addresses_that_are_not_safe_are_not_asked(server: Server, tmp_path: Path) -> None:
    for address in ("http://files.grouplens.org/ml-100k.zip", "ftp://127.0.0.1/x", "file:///etc/passwd"):
        with pytest.raises(ConfigError, match="only https is"):
            get("movielens-100k", tmp_path, address)
    server.elsewhere = "http://example.org/ml-100k.zip"
    with pytest.raises(ConfigError, match="only https is"):
        get("movielens-100k", tmp_path)


def test_unknown_names_and_a_server_that_is_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no public set 'movielens-100'; did you mean 'movielens-100k'"):
        get("movielens-100", tmp_path)
    with pytest.raises(DataError, match="name the file with --from"):
        get("movielens-100k", tmp_path, "http://127.0.0.1:9/ml-100k.zip")
    with pytest.raises(DataError, match="cannot be read"):
        get("movielens-100k", tmp_path, tmp_path / "nothing.zip")
