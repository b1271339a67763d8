import numpy as np
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


@given(lengths=st.lists(st.integers(1, 30), min_size=1, max_size=60), size=st.integers(1, 100), seed=st.integers(0, 9))
def test_rows_of_like_length_come_together_each_once(lengths: list[int], size: int, seed: int) -> None:
    lengths_R = np.array(lengths)
    batches = Batches(len(lengths), size, seed, of_tensors((torch.arange(len(lengths)),)), lengths_R)
    found = taken(batches)
    assert len(found) == len(batches)
    assert sorted(row for batch in found for row in batch) == list(range(len(lengths)))
    for batch in found:
        assert batch
        assert lengths_R[batch].sum() < 2 * max(size, *lengths) + max(lengths)


def test_little_is_lost_where_rows_are_made_equally_long() -> None:
    lengths = np.random.default_rng(0).geometric(0.1, 5_000)
    batches = Batches(5_000, 1_000, 0, of_tensors((torch.from_numpy(lengths),)), lengths)
    held = sum(len(batch[0]) * int(batch[0].max()) for batch in batches)
    assert lengths.sum() > 0.93 * held


def test_rows_with_lengths_go_on_with_the_batches_that_would_have_come() -> None:
    lengths = np.random.default_rng(1).integers(1, 9, 50)

    def made() -> Batches:
        return Batches(50, 20, 3, of_tensors((torch.arange(50),)), lengths)

    whole, later = made(), made()
    first, second = taken(whole), taken(whole)
    assert first != second
    later.load_state_dict({"epoch": 1, "done": 4})
    assert taken(later) == second[4:]


@given(groups=st.lists(st.integers(0, 3), min_size=1, max_size=40), size=st.integers(1, 12))
def test_rows_of_one_group_stand_together_each_once(groups: list[int], size: int) -> None:
    batches = Batches(len(groups), size, 5, of_tensors((torch.arange(len(groups)),)), groups=np.array(groups))
    for _ in range(2):
        found = taken(batches)
        assert sorted(row for batch in found for row in batch) == list(range(len(groups)))
        assert len(found) == len(batches)
        # A border between two groups lies in one batch at most: so many have more than one group.
        mixed = sum(len({groups[row] for row in batch}) - 1 for batch in found)
        assert mixed <= len(set(groups)) - 1


@pytest.mark.parametrize("done", range(6))
def test_rows_with_groups_go_on_with_the_batches_that_would_have_come(done: int) -> None:
    def made() -> Batches:
        groups = np.arange(50) % 3
        return Batches(50, 10, 3, of_tensors((torch.arange(50),)), groups=groups)

    whole = made()
    wanted = [*taken(whole), *taken(whole)]
    first, later = made(), made()
    for _ in zip(range(done), first, strict=False):
        pass
    later.load_state_dict(first.state_dict())
    rest = [*taken(later), *taken(later)]
    assert rest[: len(wanted) - done] == wanted[done:]
