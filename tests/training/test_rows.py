"""Rows of files as batches of tensors: for any number of workers, in the loop, and gone on with."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from torch.utils.data import DataLoader

from shortlist.tables.stream import Stream
from shortlist.training.rows import Rows

CHILD = """
import hashlib, sys, time
import torch
from torch import nn
from shortlist.tables.stream import Stream
from shortlist.training.loop import train
from shortlist.training.plan import Training
from shortlist.training.rows import Rows

where, folder, seen = sys.argv[1:]
torch.manual_seed(0)
net = nn.Linear(1, 1)

def make(table):
    with open(seen, "a") as file:
        file.write(" ".join(map(str, table.column("row").to_pylist())) + "\\n")
    time.sleep(0.01)
    x = torch.tensor(table.column("x").to_numpy()[:, None], dtype=torch.float32)
    return x, 3 * x

def loss(net, batch):
    return ((net(batch[0]) - batch[1]) ** 2).mean()

plan = Training(epochs=6, batch_size=64, learning_rate=0.05, folder=folder, every=0.02)
train(net, loss, Rows(Stream.open(where, batch=64, seed=1), make), plan, width=1, identity="it")
print(hashlib.sha256(net.weight.detach().numpy().tobytes() + net.bias.detach().numpy().tobytes()).hexdigest())
"""


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("rows") / "rows.parquet"
    random = np.random.default_rng(0)
    pl.DataFrame({"row": range(5_000), "x": random.random(5_000)}).write_parquet(place, row_group_size=300)
    return place


def numbers(table: object) -> torch.Tensor:
    return torch.tensor(table.column("row").to_numpy())  # type: ignore[attr-defined]


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize("workers", [0, 1, 3])
def test_a_plain_data_loader_gives_the_same_for_any_number_of_workers(where: Path, workers: int) -> None:
    alone = [batch.tolist() for batch in Rows(Stream.open(where, batch=128), numbers)]
    loader = DataLoader(Rows(Stream.open(where, batch=128), numbers), batch_size=None, num_workers=workers)
    assert [batch.tolist() for batch in loader] == alone
    assert sorted(row for batch in alone for row in batch) == list(range(5_000))


def test_what_is_gone_on_with_is_what_would_have_come(where: Path) -> None:
    whole = Rows(Stream.open(where, batch=128), numbers)
    both = [batch.tolist() for _ in range(2) for batch in whole]
    assert both[: len(whole)] != both[len(whole) :]
    begun = Rows(Stream.open(where, batch=128), numbers)
    reading = iter(begun)
    for _ in range(7):
        next(reading)
    state = begun.state_dict()
    assert state == {"done": 7}
    again = Rows(Stream.open(where, batch=128), numbers)
    again.load_state_dict(state)
    assert [batch.tolist() for batch in again] == both[7 : len(whole)]
    assert [batch.tolist() for batch in again] == both[len(whole) :]


def test_training_killed_ten_times_ends_with_the_same_bits_and_has_seen_each_row_once(
    where: Path, tmp_path: Path
) -> None:
    def start(name: str) -> subprocess.Popen[str]:
        command = [
            sys.executable,
            "-W",
            "ignore",
            "-c",
            CHILD,
            str(where),
            str(tmp_path / name),
            str(tmp_path / f"{name}.txt"),
        ]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    whole, _ = start("whole").communicate()
    random = np.random.default_rng(0)
    for _ in range(10):
        child = start("killed")
        seen = tmp_path / "killed.txt"
        before = seen.stat().st_size if seen.exists() else 0
        while child.poll() is None and (not seen.exists() or seen.stat().st_size <= before):
            time.sleep(0.01)
        time.sleep(float(random.random()) * 0.3)
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()
    killed, _ = start("killed").communicate()
    assert killed == whole
    assert len(killed) > 60
    # What was learnt from after the last keeping is read again; nothing is left out, and the order is the same.
    lines = (tmp_path / "whole.txt").read_text().splitlines()
    assert list(dict.fromkeys((tmp_path / "killed.txt").read_text().splitlines())) == lines
    assert len(lines) == 6 * len(Stream.open(where, batch=64, seed=1))
