import inspect

import pytest

from shortlist import errors
from shortlist.errors import MissingExtraError, ShortlistError, nearest


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = [line.split()[line.count("│") :] for line in (errors.__doc__ or "").splitlines() if "──" in line]
    names = {word for words in drawn for word in words if word.endswith("Error")}
    classes = {name for name, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, ShortlistError)}
    assert classes == names | {"ShortlistError"}


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("windw", ["window", "by"], "; did you mean 'window'?"),
        ("zzz", ["b", "a"], "; there is 'a', 'b'"),
        ("zzz", [], ""),
        ("zzz", [f"{n:02d}" for n in range(20)], "; there is " + ", ".join(f"'{n:02d}'" for n in range(12)) + ", ..."),
    ],
)
def test_the_nearest_name_is_suggested_or_else_what_there_is(name: str, known: list[str], hint: str) -> None:
    assert nearest(name, known) == hint


def test_a_missing_extra_says_what_to_install() -> None:
    error = MissingExtraError("lightgbm", "rank", "ranking")
    assert str(error) == "ranking needs the package 'lightgbm': pip install 'shortlist[rank]'"
    assert isinstance(error, ImportError)
