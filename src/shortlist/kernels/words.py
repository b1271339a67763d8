"""Hashes of words, of pairs of words and of runs of characters, from texts as bytes (UTF-8).

A word is a run of ASCII letters and digits, in lower case, and of bytes beyond ASCII as they are. Each term becomes a
bucket: a number below 2^bits. Hashes: FNV-1a, mixed by SplitMix64's finaliser.

Shapes: N texts, E terms.
"""

import numpy as np

from shortlist.kernels import compiled

START = np.uint64(0xCBF29CE484222325)
PRIME = np.uint64(0x100000001B3)
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
ONE_BIT = np.uint64(1)


@compiled
def mixed(x):
    """A number whose every bit depends on every bit of the given one."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@compiled
def lowered(byte):
    """An ASCII letter in lower case; anything else as it is."""
    return byte | np.uint8(32) if np.uint8(65) <= byte <= np.uint8(90) else byte


@compiled
def is_of_word(byte):
    """Whether a byte (in lower case) belongs to a word."""
    return (97 <= byte <= 122) or (48 <= byte <= 57) or byte >= 128


@compiled
def words(bytes_, offsets, salt, bits, runs, ends, term_E):
    """The terms of each text into `term_E`; `ends` gets where each text's terms end. Gives how many there are.

    A text's terms are its words, each two that follow one another, and with `runs` the runs of 3 and 4 bytes of words
    that are longer. What does not fit in `term_E` is counted, not written.
    """
    keep = (ONE_BIT << np.uint64(bits)) - ONE_BIT
    begin = mixed(START ^ np.uint64(salt))
    count = 0
    for text in range(len(offsets) - 1):
        last, hashed, before = offsets[text + 1], begin, np.uint64(0)
        inside, start = False, offsets[text]
        for at in range(offsets[text], last + 1):
            byte = lowered(bytes_[at]) if at < last else np.uint8(32)
            if is_of_word(byte):
                if not inside:
                    inside, start, hashed = True, at, begin
                hashed = (hashed ^ np.uint64(byte)) * PRIME
                continue
            if not inside:
                continue
            inside = False
            word = mixed(hashed)
            count = _put(term_E, count, word & keep)
            if before != np.uint64(0):
                count = _put(term_E, count, mixed((before * GOLDEN) ^ word) & keep)
            before = word | ONE_BIT
            if runs:
                count = _runs(bytes_, start, at, begin, keep, count, term_E)
        ends[text] = count
    return count


@compiled
def _put(term_E, count, term):
    if count < len(term_E):
        term_E[count] = np.int32(term)
    return count + 1


@compiled
def _runs(bytes_, start, end, begin, keep, count, term_E):
    for length in range(3, 5):
        if end - start <= length:
            break
        for first in range(start, end - length + 1):
            edges = np.uint64(length + (8 if first == start else 0) + (16 if first + length == end else 0))
            hashed = begin ^ (edges * GOLDEN)
            for at in range(first, first + length):
                hashed = (hashed ^ np.uint64(lowered(bytes_[at]))) * PRIME
            count = _put(term_E, count, mixed(hashed) & keep)
    return count


@compiled
def counted(row_E, term_E, last_T, met_T):
    """In how many rows each term is, added to `met_T`; `last_T` is the row that each was last seen in, -1 before."""
    for at in range(len(term_E)):
        term = term_E[at]
        if last_T[term] != row_E[at]:
            last_T[term] = row_E[at]
            met_T[term] += 1
