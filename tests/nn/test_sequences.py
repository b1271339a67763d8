"""Networks of sequences: what may change what."""

import pytest
import torch

from shortlist.nn.sequences import Items, Kind, Sequences, body, numbers_of_a_place

KINDS: tuple[Kind, ...] = ("sasrec", "gru", "mlp")
ITEMS, FACTORS, LENGTH = 20, 8, 6


def network(kind: Kind, *, tied: bool = True, forget: float = 0.0) -> Sequences:
    torch.manual_seed(0)
    values = torch.randint(4, (ITEMS, 2))
    tables = [Items(values, 3, FACTORS, forget=forget, bias=0.5) for _ in range(2)]
    read = body(kind, FACTORS, LENGTH, 12, 2, 2, 0.2)
    return Sequences(tables[0], None if tied else tables[1], read, 0.2)


@pytest.mark.parametrize("kind", KINDS)
def test_a_place_hangs_on_the_items_up_to_it_alone(kind: Kind) -> None:
    net = network(kind).eval()
    items = torch.randint(ITEMS, (3, LENGTH), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        told = net(net.items(items))
        for place in range(1, LENGTH):
            other = items.clone()
            other[:, place:] = (items[:, place:] + 1) % ITEMS
            found = net(net.items(other))
            torch.testing.assert_close(found[:, :place], told[:, :place])
            assert not torch.isclose(found[:, place], told[:, place]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_what_stands_behind_the_end_changes_nothing(kind: Kind) -> None:
    net = network(kind).eval()
    items = torch.randint(ITEMS, (2, LENGTH), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        vectors = net.items(items)
        torch.testing.assert_close(net(vectors)[:, :4], net(vectors[:, :4]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tied", [True, False])
def test_every_weight_learns(kind: Kind, tied: bool) -> None:
    net = network(kind, tied=tied)
    items = torch.arange(ITEMS).reshape(4, 5)
    (net(net.items(items)) @ net.outputs().T).square().sum().backward()
    for name, weight in net.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().max() > 0, name


def test_hidden_layers_see_the_last_places_and_zeros_before_the_first() -> None:
    read = body("mlp", 2, 3, 4, 1, 1, 0.0).eval()
    x = torch.randn(1, 5, 2)
    with torch.no_grad():
        found = read(x)
        for place in range(5):
            window = torch.cat([torch.zeros(3, 2), x[0, : place + 1]])[-3:].flatten()
            hidden = torch.relu(read.layers[0](window))
            torch.testing.assert_close(found[0, place], read.out(hidden))


def test_an_item_is_its_own_vector_and_those_of_its_values() -> None:
    items = Items(torch.tensor([[0, 1], [1, 2], [2, 2]]), 2, 3, forget=0.0, bias=0.5)
    own, of_value = items.own.weight, items.of_value.weight
    assert torch.equal(own[:, -1], torch.full((3,), 0.5))
    torch.testing.assert_close(items()[0], own[0] + of_value[0] + of_value[1])
    torch.testing.assert_close(items()[1], own[1] + of_value[1])
    torch.testing.assert_close(items()[2], own[2])
    torch.testing.assert_close(items(torch.tensor([[2, 0]])), items()[[2, 0]][None])


def test_in_training_an_item_is_now_and_then_known_by_its_values_alone() -> None:
    items = Items(torch.zeros(5_000, 1, dtype=torch.int64), 1, 3, forget=0.25, bias=0.5)
    forgotten = (items() == items.of_attributes()).all(dim=1)
    assert 0.2 < forgotten.float().mean() < 0.3
    assert not (items.eval()() == items.of_attributes()).all(dim=1).any()


def test_without_attributes_nothing_is_forgotten() -> None:
    items = Items(torch.zeros(50, 1, dtype=torch.int64), 0, 3, forget=0.9, bias=0.5)
    assert torch.equal(items(), items.own.weight)


@pytest.mark.parametrize("kind", KINDS)
def test_the_numbers_of_a_place_are_about_what_autograd_keeps(kind: Kind) -> None:
    net = body(kind, 32, 10, 64, 2, 2, 0.1)
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.data_ptr()] = tensor.numel() * tensor.element_size() // 4
        return tensor

    weights = {weight.data_ptr() for weight in net.parameters()}
    x = torch.randn(64, 10, 32, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        net(x)
    numbers = sum(count for place, count in kept.items() if place not in weights) / 640
    assert 0.5 < numbers_of_a_place(kind, 32, 10, 64, 2) / numbers < 2
