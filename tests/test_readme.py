"""The README is true: its example runs, its tree is the tree."""

import re
import shutil
from pathlib import Path

import polars as pl
import pytest
from tests.encoders import tiny
from tests.tabular.posts import posts

import shortlist
from shortlist.tables import samples

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_example_runs_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    example = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)[0]
    world = samples.shop(users=40)
    world.events.write_parquet(tmp_path / "purchases.parquet")
    world.items.rename({"type": "product_type"}).write_parquet(tmp_path / "products.parquet")
    world.users.write_parquet(tmp_path / "households.parquet")
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "README.md", "exec"), {})
    told = capsys.readouterr().out
    assert "map@12" in told
    assert "repurchase" in told
    assert (tmp_path / "runs/today/manifest.json").is_file()
    assert len([line for line in example.splitlines() if line.strip()]) <= 15


def test_the_example_of_what_comes_next_runs_as_it_stands() -> None:
    example = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)[1]
    world = samples.shop(users=20, items=15, days=20)
    names = {
        "sl": shortlist,
        "data": shortlist.Dataset.read(world.events, world.items),
        "users": ["nobody before"],
        "new_products": pl.DataFrame({"item_id": ["new"], "type": [world.items["type"][0]], "price": [1.0]}),
        "this_morning": pl.DataFrame({"user_id": ["nobody before"], "item_id": [world.items["item_id"][0]]}),
    }
    exec(compile(example, "README.md", "exec"), names)
    assert "new" in names["lists"]["item_id"]


def test_the_example_of_texts_to_texts_runs_as_it_stands() -> None:
    example = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)[2]
    world = samples.curriculum(topics=100, contents=300, languages=8)
    new = pl.DataFrame({"user_id": ["new"], "parent_id": ["t000001"], "title": [world.items["title"][0]]})
    new = new.with_columns(language=pl.lit(world.items["language"][0]))
    names = {"sl": shortlist, "links": world.events, "contents": world.items, "topics": world.users, "new_topics": new}
    exec(compile(example, "README.md", "exec"), names)
    assert world.items["item_id"][0] in names["lists"]["item_id"]
    assert len([line for line in example.splitlines() if line.strip()]) == 5


def test_the_example_of_how_much_runs_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)[3]
    events = samples.shop(users=40).events.select("user_id", "item_id", rating=pl.lit(3.5))
    events.unique(["user_id", "item_id"]).write_csv(tmp_path / "ratings.csv")
    monkeypatch.chdir(tmp_path)
    names = {"sl": shortlist}
    exec(compile(example, "README.md", "exec"), names)
    assert names["predicted"].columns == ["user_id", "item_id", "prediction", "low", "high"]
    assert names["predicted"]["prediction"].to_list() == pytest.approx([3.5] * names["predicted"].height)


def test_the_example_of_rows_runs_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    example = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)[4]
    made = posts(200).rename({"when": "created_utc"}).with_columns(domain=pl.lit("self"))
    made.write_parquet(tmp_path / "posts.parquet")
    monkeypatch.chdir(tmp_path)
    names = {"sl": shortlist, "new_posts": made[:3]}
    exec(compile(example, "README.md", "exec"), names)
    assert names["predicted"].columns == ["prediction", "low", "high"]
    assert "mean of subreddit" in capsys.readouterr().out
    network, stream = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)[5:7]
    exec(compile(stream, "README.md", "exec"), names)
    assert names["fitted"].predict(made[:3]).columns == ["prediction", "low", "high"]
    shutil.copytree(tiny(), tmp_path / "encoders/minilm")
    exec(compile(network, "README.md", "exec"), names)
    assert names["recipe"].fit(made).predict(made[:3]).columns == ["prediction", "low", "high"]


def test_the_tree_names_every_file_and_no_other() -> None:
    tree = re.findall(r"```\nsrc/shortlist/\n(.*?)```", README, flags=re.DOTALL)[0]
    named, folder = set(), ""
    for line in tree.splitlines():
        depth, name = len(line) - len(line.lstrip()), line.split()[0]
        if name.endswith("/"):
            folder = name
        else:
            named.add((folder if depth == 4 else "") + name)
    source = ROOT / "src/shortlist"
    files = {str(path.relative_to(source)) for path in source.rglob("*.py") if not path.name.startswith("__")}
    assert named == files
