"""N-grams: what texts are made of, as numbers that are the same on every machine.

A text is normalised (NFKC, lower case; all but letters, marks and digits is a space) and stands between two spaces, so
that its first and last letters are told from those within. Its terms are its runs of `shortest` to `longest`
characters, each a hash of 64 bits (SplitMix64's finaliser over the characters): no vocabulary is needed to number the
terms of a new text, and of a million terms two are the same number with probability 3 in 10⁸.

Shapes: N texts, E entries.
"""

from collections.abc import Iterator, Sequence
from hashlib import blake2b

import numpy as np
import polars as pl

CHARACTERS = 500
"""Characters of a text that are looked at where no other number is named."""
_AT_ONCE = 2_000_000
"""Characters that are in hand at one time, about."""


def plain(texts: pl.Series, characters: int = CHARACTERS) -> pl.Series:
    """The first `characters` of the texts as terms are read from them; of what says nothing, nothing.

    >>> plain(pl.Series(["The  Cell: a ﬁrst look!", None])).to_list()
    [' the cell a first look ', '']
    """
    worded = (
        texts.fill_null("")
        .str.normalize("NFKC")
        .str.to_lowercase()
        .str.replace_all(r"[^\p{L}\p{M}\p{N}]+", " ")
        .str.strip_chars()
        .str.slice(0, characters)
    )
    return pl.select(pl.when(worded == "").then(pl.lit("")).otherwise(" " + worded + " ")).to_series()


def counted(
    fields: Sequence[tuple[pl.Series, float]],
    salts: np.ndarray,
    shortest: int,
    longest: int,
    characters: int = CHARACTERS,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How often each text has each term: the text (int32, E), the term (int64, E) and the times (float32, E), in order.

    `fields` are columns of N texts that count so much each; the times of a term are summed over them. `salts` (uint64,
    N) change the numbers of a text's terms: those of texts of different salts never meet. Of a text the first
    `characters` count.
    """
    parts = [
        _summed(block, salts[start : start + len(block[0][0])], shortest, longest, characters, start)
        for start, block in _blocks(fields, characters)
    ]
    none = np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0, np.float32)
    text, term, times = (np.concatenate(each) for each in zip(none, *parts, strict=True))
    return text, term, times


def salts(table: pl.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """A number for each row (uint64): the same for rows of the same values in `columns`, nulls among them."""
    salt = np.zeros(table.height, np.uint64)
    for name in columns:
        values = table[name].cast(pl.String).fill_null("")
        distinct = values.unique()
        digests = [int.from_bytes(blake2b(value.encode(), digest_size=8).digest(), "little") for value in distinct]
        known = pl.DataFrame({"value": distinct, "digest": pl.Series(digests, dtype=pl.UInt64)})
        found = pl.DataFrame({"value": values}).join(known, on="value", how="left", maintain_order="left")
        salt = mixed(salt + found["digest"].to_numpy())
    return salt


def mixed(numbers: np.ndarray) -> np.ndarray:
    """Numbers whose every bit depends on every bit of the given ones (the finaliser of SplitMix64)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = numbers ^ (numbers >> np.uint64(31))
    return mixed


def letters_of(texts: pl.Series) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All characters, one after the other: the code point (uint64), the text it is of, how many are left with it."""
    lengths = texts.str.len_chars().to_numpy().astype(np.int64)
    letters = np.frombuffer("".join(texts).encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    owner = np.repeat(np.arange(len(texts)), lengths)
    return letters, owner, np.repeat(lengths.cumsum(), lengths) - np.arange(len(letters))


def _blocks(
    fields: Sequence[tuple[pl.Series, float]], characters: int
) -> Iterator[tuple[int, list[tuple[pl.Series, float]]]]:
    """Runs of texts of about `_AT_ONCE` characters together."""
    lengths = [
        texts.str.len_chars().fill_null(0).clip(upper_bound=characters).to_numpy().astype(np.int64)
        for texts, _ in fields
    ]
    ends, start = np.cumsum(np.sum(lengths, axis=0)), 0
    while start < len(ends):
        seen = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, seen + _AT_ONCE, side="right")))
        yield start, [(texts[start:stop], share) for texts, share in fields]
        start = stop


def _summed(
    fields: list[tuple[pl.Series, float]],
    salt: np.ndarray,
    shortest: int,
    longest: int,
    characters: int,
    start: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`counted` of one block, whose first text has the number `start`."""
    texts, terms, shares = [], [], []
    for column, share in fields:
        letters, owner, left = letters_of(plain(column, characters))
        hashed = salt[owner]
        for place in range(longest):
            hashed = mixed(hashed + np.uint64(1))
            hashed[: max(0, len(letters) - place)] += letters[place:]
            if place + 1 >= shortest:
                whole = left > place
                texts.append(owner[whole])
                terms.append(mixed(hashed[whole]).view(np.int64))
                shares.append(np.full(int(whole.sum()), share, np.float32))
    text, term, times = np.concatenate(texts), np.concatenate(terms), np.concatenate(shares)
    order = np.lexsort((term, text))
    text, term = text[order], term[order]
    first = np.ones(len(text), bool)
    first[1:] = (text[1:] != text[:-1]) | (term[1:] != term[:-1])
    at = np.flatnonzero(first)
    summed = np.add.reduceat(times[order], at) if len(at) else times
    return (text[at] + start).astype(np.int32), term[at], summed.astype(np.float32)
