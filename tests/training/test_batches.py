import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from shortlist.training.batches import Batches, of_tensors


def numbers(rows: int, size: int, seed: int = 0) -> Batches:
    return Batches(rows, size, seed, of_tensors((torch.arange(rows),)))


def taken(batches: Batches) -> list[list[int]]:
    return [batch[0].tolist() for batch in batches]


@given(rows=st.integers(1, 50), size=st.integers(1, 60))
def test_every_row_comes_once_in_an_epoch(rows: int, size: int) -> None:
    batches = numbers(rows, size)
    found = taken(batches)
    assert sorted(row for batch in found for row in batch) == list(range(rows))
    assert len(found) == len(batches)
    assert all(len(batch) == size for batch in found[:-1])


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    batches = numbers(100, 10)
    first, second = taken(batches), taken(batches)
    assert first != second
    assert taken(numbers(100, 10)) == first
    assert taken(numbers(100, 10, seed=1)) != first


@given(done=st.integers(0, 19))
def test_what_was_cut_off_goes_on_with_the_batches_that_would_have_come(done: int) -> None:
    def first(batches: Batches, n: int) -> list[list[int]]:
        found: list[list[int]] = []
        while len(found) < n:
            # As Lightning does: nobody asks for what follows the last batch of an epoch.
            for _, batch in zip(range(min(n - len(found), len(batches))), batches, strict=False):
                found.append(batch[0].tolist())
        return found

    whole = first(numbers(37, 8), 20)
    cut, again = numbers(37, 8), numbers(37, 8)
    first(cut, done)
    again.load_state_dict(cut.state_dict())
    rest = []
    while len(rest) < 20 - done:
        left = len(again) - again.state_dict()["done"]
        rest += [batch[0].tolist() for _, batch in zip(range(min(left, 20 - done - len(rest))), again, strict=False)]
    assert rest == whole[done:]


def test_what_a_batch_draws_hangs_on_its_place_alone() -> None:
    def drawing(rows: torch.Tensor, random: torch.Generator) -> tuple[torch.Tensor, ...]:
        return (torch.randint(1_000, (3,), generator=random),)

    whole = Batches(20, 5, 0, drawing)
    later = Batches(20, 5, 0, drawing)
    later.load_state_dict({"epoch": 0, "done": 2})
    assert taken(whole)[2:] == taken(later)


@pytest.mark.parametrize("rows", [1, 7])
def test_one_batch_may_hold_all(rows: int) -> None:
    assert len(numbers(rows, 100)) == 1
