import pytest
import torch

from shortlist.nn.dropout import dropout


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.9])
def test_so_many_are_left_out_and_the_mean_stays(share: float) -> None:
    torch.manual_seed(0)
    x = torch.ones(1_001, 1_003)
    found = dropout(x, share, training=True)
    kept = found[found > 0]
    assert 1 - len(kept) / x.numel() == pytest.approx(share, abs=0.004)
    assert kept.unique().numel() == 1
    assert found.mean().item() == pytest.approx(1, abs=0.005)


def test_what_is_left_out_is_left_out_of_the_gradient_too() -> None:
    x = torch.randn(50, 7, requires_grad=True)
    found = dropout(x, 0.4, training=True)
    found.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad == 0, found == 0)


def test_each_place_has_its_own_chance() -> None:
    torch.manual_seed(1)
    left = torch.stack([dropout(torch.ones(64), 0.5, training=True) > 0 for _ in range(2_000)]).double()
    assert (left.mean(dim=0) - 0.5).abs().max() < 0.05
    apart = torch.corrcoef(left.T) - torch.eye(64)
    assert apart.abs().max() < 0.12


def test_the_seed_decides_and_outside_training_nothing_is_left_out() -> None:
    x = torch.randn(9, 9)
    found = []
    for _ in range(2):
        torch.manual_seed(4)
        found.append(dropout(x, 0.5, training=True))
    assert torch.equal(*found)
    assert dropout(x, 0.5, training=False) is x
    assert dropout(x, 0.0, training=True) is x
