"""Rows of several numbers each, one behind the other: `ends` says where each row ends.

Shapes: N rows, E numbers of all rows.
"""

import numpy as np

from shortlist.kernels import compiled

BLOCK = 32
"""Rows that are fetched together."""


@compiled
def merged(first_ends, first_E, second_ends, second_E, ends, merged_E):
    """Behind the numbers of each row those of the same row of a second."""
    first = second = at = 0
    for row in range(len(ends)):
        while first < first_ends[row]:
            merged_E[at] = first_E[first]
            first += 1
            at += 1
        while second < second_ends[row]:
            merged_E[at] = second_E[second]
            second += 1
            at += 1
        ends[row] = at


@compiled
def taken(order, ends, number_E, taken_ends, taken_E):
    """The rows of this order (as many as fit in `taken_ends`), one behind the other. Gives how many numbers they have.

    Rows lie anywhere in memory: those of a block are fetched together, in place of one wait for each of them. The
    second number given back means nothing: it is there so that fetching is not left out.
    """
    at = fetched = 0
    for place in range(len(order)):
        if place % BLOCK == 0:
            for ahead in order[place : place + BLOCK]:
                for line in range(ends[ahead - 1] if ahead > 0 else 0, ends[ahead], 16):
                    fetched += number_E[line]
        row = order[place]
        for one in range(ends[row - 1] if row > 0 else 0, ends[row]):
            taken_E[at] = number_E[one]
            at += 1
        taken_ends[place] = at
    return at, fetched


@compiled
def unpacked(bytes_, width, number_E):
    """Numbers of `width` bytes each (3 or 4), the least first."""
    for place in range(len(number_E)):
        at = place * width
        found = np.int32(bytes_[at]) | np.int32(bytes_[at + 1]) << 8 | np.int32(bytes_[at + 2]) << 16
        number_E[place] = found if width == 3 else found | np.int32(bytes_[at + 3]) << 24
