"""Hashes of words, of pairs of words and of runs of characters, and of whole values, from texts as bytes (UTF-8).

A word is a run of ASCII letters and digits, in lower case, and of bytes beyond ASCII as they are. Each term becomes a
bucket: a number below 2^bits. Hashes: FNV-1a, mixed by SplitMix64's finaliser.

Shapes: N texts, or numbers, E terms.
"""

import numpy as np

from shortlist.kernels import compiled

START = np.uint64(0xCBF29CE484222325)
PRIME = np.uint64(0x100000001B3)
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
ONE_BIT = np.uint64(1)
TEN, MINUS = np.uint64(10), np.uint64(ord("-"))


@compiled
def mixed(x):
    """A number whose every bit depends on every bit of the given one."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _of_words() -> np.ndarray:
    """Of each byte what it is in a word: a letter in lower case, a digit, a byte beyond ASCII; 0 if it is in none."""
    told = np.zeros(256, np.uint8)
    for byte in (*range(48, 58), *range(97, 123), *range(128, 256)):
        told[byte] = byte
    told[65:91] = told[97:123]
    return told


OF_WORDS = _of_words()


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
        at, last, before = offsets[text], offsets[text + 1], np.uint64(0)
        while at < last:
            start, hashed = at, begin
            while at < last and OF_WORDS[bytes_[at]] != 0:
                hashed = (hashed ^ np.uint64(OF_WORDS[bytes_[at]])) * PRIME
                at += 1
            if at == start:
                at += 1
                continue
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
                hashed = (hashed ^ np.uint64(OF_WORDS[bytes_[at]])) * PRIME
            count = _put(term_E, count, mixed(hashed) & keep)
    return count


@compiled
def values(bytes_, offsets, salt, bits, term_N):
    """The term of each whole text."""
    keep = (ONE_BIT << np.uint64(bits)) - ONE_BIT
    begin = mixed(START ^ np.uint64(salt))
    for text in range(len(offsets) - 1):
        hashed = begin
        for at in range(offsets[text], offsets[text + 1]):
            hashed = (hashed ^ np.uint64(bytes_[at])) * PRIME
        term_N[text] = np.int32(mixed(hashed) & keep)


@compiled
def numbers(number_N, missing, salt, bits, term_N):
    """The term of each whole number (int64): that of the text of its digits; of `missing` that of the byte 0."""
    keep = (ONE_BIT << np.uint64(bits)) - ONE_BIT
    begin = mixed(START ^ np.uint64(salt))
    digits = np.empty(20, np.uint8)
    for row in range(len(number_N)):
        number, hashed, count = number_N[row], begin, 0
        if number == missing:
            digits[0], count = 0, 1
        else:
            if number < 0:
                hashed = (hashed ^ MINUS) * PRIME
            left = np.uint64(number) if number >= 0 else np.uint64(-(number + 1)) + ONE_BIT
            while count == 0 or left > np.uint64(0):
                digits[count] = np.uint8(48) + np.uint8(left % TEN)
                left //= TEN
                count += 1
        for at in range(count - 1, -1, -1):
            hashed = (hashed ^ np.uint64(digits[at])) * PRIME
        term_N[row] = np.int32(mixed(hashed) & keep)


@compiled
def counted(row_E, term_E, last_T, met_T):
    """In how many rows each term is, added to `met_T`; `last_T` is the row that each was last seen in, -1 before."""
    for at in range(len(term_E)):
        term = term_E[at]
        if last_T[term] != row_E[at]:
            last_T[term] = row_E[at]
            met_T[term] += 1
