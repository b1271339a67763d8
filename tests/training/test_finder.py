import numpy as np
import pytest
import torch
from small_network import Task

from shortlist.training.finder import HIGHEST, LOWEST, find_rate, found
from shortlist.training.plan import Training


def test_the_rate_is_a_tenth_of_where_the_loss_is_lowest() -> None:
    rates = np.geomspace(LOWEST, HIGHEST, 100)
    losses = 1 + np.abs(np.log10(rates) + 1) / 10  # lowest at 0.1; smoothing comes a little late
    assert found(rates, losses).rate == pytest.approx(0.01, rel=2)
    assert found(rates, losses).rate >= 0.01


def test_what_comes_after_the_loss_is_lost_counts_for_nothing() -> None:
    rates = np.geomspace(LOWEST, HIGHEST, 100)
    losses = np.linspace(2, 1, 100)
    losses[60:] = np.nan
    told = found(rates, losses)
    assert len(told.rates) == 60
    assert told.rate < rates[60] / 10
    losses[60:] = 1e9
    losses[90:] = 0.0
    assert found(rates, losses).rate < rates[61] / 10


def test_a_run_of_rising_rates_leaves_the_network_as_it_was(task: Task) -> None:
    net = task.network()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    batches = task.batches()
    told = find_rate(net, task.loss(), batches, Training(), width=20)
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert batches.state_dict() == {"epoch": 0, "done": 0}
    assert told.rates[0] == pytest.approx(LOWEST)
    assert 1e-4 < told.rate < 1
