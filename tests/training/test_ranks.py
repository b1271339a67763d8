"""Two processes that train together: each on rows of its own, both with the same weights."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

CHILD = """
import json, os, sys
import torch
from torch import nn
import shortlist as sl
from shortlist.training.loop import train
from shortlist.training.rows import Rows

where, out, folder = sys.argv[1:]
rank, ranks = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
torch.manual_seed(rank)  # the first one's weights are taken
net, seen = nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1)), []

def make(table):
    seen.extend(table.column("row").to_pylist())
    x = torch.tensor(table.column("x").to_numpy()[:, None], dtype=torch.float32)
    return x, 3 * x

def loss(net, batch):
    return ((net(batch[0]) - batch[1]) ** 2).mean()

stream = sl.Stream.open(where, batch=50, seed=1, rank=rank, ranks=ranks)
plan = sl.Training(epochs=2, learning_rate=0.05, folder=folder or None)
train(net, loss, Rows(stream, make), plan, width=4)
weights = [weight.tolist() for weight in net.state_dict().values()]
with open(f"{out}/{rank}.json", "w") as file:
    json.dump({"seen": seen, "weights": weights}, file)
"""


def started(where: Path, out: Path, folder: str = "") -> subprocess.CompletedProcess[str]:
    (out / "child.py").write_text(CHILD)
    command = [sys.executable, "-W", "ignore", "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command += [str(out / "child.py"), str(where), str(out), folder]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture
def where(tmp_path: Path) -> Path:
    place = tmp_path / "rows.parquet"
    random = np.random.default_rng(0)
    pl.DataFrame({"row": range(1_001), "x": random.random(1_001)}).write_parquet(place, row_group_size=90)
    return place


def test_two_processes_end_with_the_same_weights_and_share_no_row(where: Path, tmp_path: Path) -> None:
    done = started(where, tmp_path)
    assert done.returncode == 0, done.stderr
    told = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2)]
    assert told[0]["weights"] == told[1]["weights"]
    half = [len(one["seen"]) // 2 for one in told]
    for epoch in range(2):
        first, second = (
            set(one["seen"][epoch * rows : (epoch + 1) * rows]) for one, rows in zip(told, half, strict=True)
        )
        assert not first & second
        assert first | second == set(range(1_001))


def test_what_processes_that_train_together_cannot_do_is_told(where: Path, tmp_path: Path) -> None:
    done = started(where, tmp_path, str(tmp_path / "kept"))
    assert done.returncode != 0
    assert "2 processes train together: leave out the folder and the patience" in done.stderr
