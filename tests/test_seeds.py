import numpy as np

from shortlist.seeds import Seeds


def test_a_number_depends_on_the_seed_and_the_name_alone() -> None:
    assert Seeds(7).number("ranker") == Seeds(7).number("ranker")
    assert len({Seeds(seed).number(name) for seed in (0, 1, 11) for name in ("a", "b", "1:a")}) == 9


def test_numbers_fit_in_31_bits() -> None:
    numbers = [Seeds(seed).number("x") for seed in range(500)]
    assert min(numbers) >= 0
    assert 2**30 < max(numbers) < 2**31


def test_numbers_never_change_from_version_to_version() -> None:
    assert Seeds(0).number("ranker") == 154_222_776


def test_each_name_has_a_stream_of_its_own() -> None:
    draws = Seeds(3).generator("negatives").random(5)
    np.testing.assert_array_equal(draws, Seeds(3).generator("negatives").random(5))
    assert not np.array_equal(draws, Seeds(3).generator("rows").random(5))
