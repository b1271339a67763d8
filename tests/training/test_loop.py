"""The loop: it goes on to the bit from wherever it was cut off, and does what its plan says."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_network import ROWS, SIZE, CutOff, Task

from shortlist.errors import ConfigError, StoreError
from shortlist.training.batches import Batches, of_tensors
from shortlist.training.loop import Trained, train
from shortlist.training.plan import Training

BATCHES = -(-ROWS // SIZE)
PLANS = {
    "plain": Training(epochs=3),
    "accumulating": Training(epochs=3, accumulate=3),
    "with a patience": Training(epochs=12, patience=2),
    "clipped, warming up": Training(epochs=3, clip=0.1, schedule="warm_up"),
}


def equal(one: tuple[Any, Trained], other: tuple[Any, Trained]) -> bool:
    weights = zip(one[0].state_dict().values(), other[0].state_dict().values(), strict=True)
    paths = [(getattr(one[1], name), getattr(other[1], name)) for name in ("step_P", "rate_P", "loss_P")]
    figures = [(one[1].figures[name], other[1].figures[name]) for name in one[1].figures]
    return all(torch.equal(a, b) for a, b in weights) and all(np.array_equal(a, b) for a, b in [*paths, *figures])


@pytest.mark.parametrize("name", PLANS)
def test_cut_off_at_any_step_and_gone_on_with_equals_uninterrupted(name: str, task: Task, tmp_path: Path) -> None:
    whole = task.train(PLANS[name])
    # The first and the last steps of the epochs, and some between.
    for cut_off in (1, 2, 7, BATCHES - 1, BATCHES, BATCHES + 1, 2 * BATCHES - 1, 2 * BATCHES, 3 * BATCHES - 1):
        plan = PLANS[name].model_copy(update={"folder": str(tmp_path / str(cut_off)), "every": 1e-9})
        with pytest.raises(CutOff):
            task.train(plan, cut_off)
        assert equal(whole, task.train(plan)), cut_off
        assert equal(whole, task.train(plan)), "what had ended was gone on with"


def test_killed_by_the_system_and_gone_on_with_equals_uninterrupted(task: Task, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    script = (
        "import sys; sys.path[:0] = sys.argv[1:3]\n"
        "from small_network import Task\n"
        "from shortlist.training.plan import Training\n"
        "print('begun', flush=True)\n"
        "Task().train(Training(epochs=60, folder=sys.argv[3], every=1e-9))\n"
    )
    here = str(Path(__file__).parent)
    random = np.random.default_rng()
    while True:
        command = [sys.executable, "-W", "ignore", "-c", script, here, here, str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as training:
            assert training.stdout is not None
            training.stdout.readline()
            while training.poll() is None and not (folder / "training.safetensors").exists():
                time.sleep(0.005)
            time.sleep(random.uniform(0, 1))
            training.send_signal(signal.SIGKILL)
            if training.wait() == 0:
                break
        if random.random() < 0.5:
            break
    plan = Training(epochs=60, every=1e-9)
    assert equal(task.train(plan), task.train(plan.model_copy(update={"folder": str(folder)})))


def test_a_folder_of_something_else_and_a_damaged_one_are_told(task: Task, tmp_path: Path) -> None:
    plan = Training(epochs=1, folder=str(tmp_path))
    task.train(plan)
    with pytest.raises(ConfigError, match="something else"):
        task.train(plan, identity="that")
    file = tmp_path / "training.safetensors"
    os.truncate(file, file.stat().st_size // 2)
    with pytest.raises(StoreError, match="damaged"):
        task.train(plan)


def test_nothing_that_is_kept_is_a_pickle(task: Task, tmp_path: Path) -> None:
    task.train(Training(epochs=1, folder=str(tmp_path)))
    content = (tmp_path / "training.safetensors").read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    assert "state" in json.loads(header["__metadata__"]["training"])
    assert {path.name for path in tmp_path.iterdir()} == {"training.safetensors", "log.csv"}


def test_the_log_is_the_path(task: Task, tmp_path: Path) -> None:
    _, found = task.train(Training(epochs=4, patience=9, folder=str(tmp_path)))
    rows = list(csv.DictReader((tmp_path / "log.csv").read_text(encoding="utf-8").splitlines()))
    assert [float(row["loss"]) for row in rows if row["loss"]] == found.loss_P.tolist()
    assert [float(row["held_out_loss"]) for row in rows if row["held_out_loss"]] == found.figures["loss"].tolist()


def test_tensorboard_reads_the_same_path(task: Task, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    plan = Training(epochs=4, patience=9, folder=str(tmp_path), tensorboard=True)
    _, found = task.train(plan)
    written = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    for name, values in (("loss", found.loss_P), ("rate", found.rate_P), ("held out/loss", found.figures["loss"])):
        assert [event.value for event in written.Scalars(name)] == pytest.approx(values.tolist(), rel=1e-6)
    with pytest.raises(ValueError, match="tensorboard needs a folder"):
        Training(tensorboard=True)


def test_the_rate_goes_up_and_down_again(task: Task) -> None:
    _, found = task.train(Training(epochs=6, learning_rate=0.02))
    top = int(np.argmax(found.rate_P))
    assert found.rate_P.max() <= 0.02
    assert found.rate_P[top] == pytest.approx(0.02, rel=0.01)
    assert 0.2 < top / len(found.rate_P) < 0.3
    assert (np.diff(found.rate_P[:top]) > 0).all()
    assert (np.diff(found.rate_P[top:]) < 0).all()
    assert found.rate_P[0] < 0.02 / 20
    assert found.rate_P[-1] < 0.02 / 500


def test_a_patience_ends_training_and_gives_the_best_weights_back(task: Task) -> None:
    net, found = task.train(Training(epochs=60, patience=2, learning_rate=0.5, weight_decay=0.0, schedule="constant"))
    told = found.figures["loss"]
    assert len(told) < 60
    assert found.best == int(np.argmin(told)) == len(told) - 3
    assert task.judge(net)["loss"] == pytest.approx(told.min())


def test_what_to_stop_on_must_be_told(task: Task) -> None:
    with pytest.raises(ConfigError, match="'ndcg@10' is not among what is told of this network: loss"):
        task.train(Training(epochs=2, patience=1, stop_on="ndcg@10"))


def test_added_up_gradients_are_those_of_a_larger_batch() -> None:
    weights = []
    for size, accumulate in ((10, 3), (30, 1)):
        net = torch.nn.Linear(2, 1)
        torch.nn.init.ones_(net.weight)
        torch.nn.init.zeros_(net.bias)
        rows = torch.arange(120.0).reshape(60, 2) / 100
        batches = Batches(60, size, 0, of_tensors((rows,)))
        plan = Training(epochs=2, accumulate=accumulate, batch_size=size)
        train(net, lambda net, batch: net(batch[0]).square().mean(), batches, plan, width=2)
        weights.append(net.weight.detach().numpy())
    np.testing.assert_allclose(weights[0], weights[1], rtol=1e-5)


def test_a_weight_loses_its_share_in_every_step() -> None:
    net = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.ones_(net.weight)
    batches = Batches(100, 10, 0, of_tensors((torch.zeros(100, 1),)))
    plan = Training(epochs=3, learning_rate=0.02, weight_decay=0.5, schedule="constant")
    train(net, lambda net, batch: net(batch[0]).mean(), batches, plan, width=1)
    assert float(net.weight.detach()) == pytest.approx((1 - 0.02 * 0.5) ** 30)


def test_the_random_numbers_of_others_stay_as_they_were(task: Task) -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    threads = torch.get_num_threads()
    task.train(Training(epochs=1))
    assert torch.rand(1) == expected
    assert torch.get_num_threads() == threads


def test_an_interrupt_is_one_and_leaves_the_next_one_to_be_heard(task: Task) -> None:
    def interrupted(net: Any, batch: Any) -> torch.Tensor:
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(task.network(), interrupted, task.batches(), Training(), width=20)
    assert signal.getsignal(signal.SIGINT) is before


def test_half_precision_learns_too(task: Task) -> None:
    _, whole = task.train(Training(epochs=8))
    _, half = task.train(Training(epochs=8, precision="bf16"))
    assert half.loss_P[-1] == pytest.approx(whole.loss_P[-1], rel=0.1)
