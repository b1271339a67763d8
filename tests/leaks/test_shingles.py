import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from shortlist.leaks.shingles import ALIKE, WIDTH, near_duplicates, plain

WORDS = [
    "apple",
    "bread",
    "carrot",
    "dill",
    "egg",
    "flour",
    "garlic",
    "honey",
    "ice",
    "jam",
    "kale",
    "leek",
    "milk",
    "nut",
    "oat",
    "pea",
    "quince",
    "rice",
    "salt",
    "tea",
]


def jaccard(one: str, other: str) -> float:
    a, b = ({text[n : n + WIDTH] for n in range(len(text) - WIDTH + 1)} for text in (one, other))
    return len(a & b) / len(a | b) if a and b else 0.0


def test_what_the_slow_way_finds_is_found() -> None:
    chance = np.random.default_rng(0)
    others = [" ".join(chance.choice(WORDS, 20)) for _ in range(300)]
    texts = []
    for text in others[:200]:
        words = text.split()
        for place in chance.choice(20, chance.integers(0, 5), replace=False):
            words[place] = str(chance.choice(WORDS))
        texts.append(" ".join(words))
    slow = {n for n, text in enumerate(texts) if max(jaccard(text, other) for other in others) >= ALIKE}
    found = near_duplicates(pl.Series(texts), pl.Series(others))
    assert 50 < len(slow) < 200
    assert set(found["text"]) <= slow
    assert len(slow - set(found["text"])) <= 1
    assert (found["text"] == found["other"]).all()


@given(st.lists(st.text(max_size=30), min_size=1, max_size=8), st.lists(st.text(max_size=30), min_size=1, max_size=8))
def test_pairs_are_alike_and_equal_texts_are_never_missed(texts: list[str], others: list[str]) -> None:
    found = near_duplicates(pl.Series(texts), pl.Series([*others, texts[0]]))
    for text, other in found.select("text", "other").iter_rows():
        assert jaccard(texts[text], [*others, texts[0]][other]) >= ALIKE
    assert (0 in found["text"].to_list()) == (len(texts[0]) >= WIDTH)


def test_how_many_are_alike_is_counted() -> None:
    text = "the king of the birds and the smallest of them"
    found = near_duplicates(pl.Series([text]), pl.Series([text, text + "!", "another tale altogether, of fish"]))
    assert found.rows() == [(0, 0, 2)]


def test_case_width_and_spaces_make_no_difference() -> None:
    assert plain(pl.Series(["  Ｔhe\n KING  of ", None])).to_list() == ["the king of", ""]
