"""The n best of (score, number) pairs, each packed into one whole number whose order is theirs.

The upper half of a key is the score (float32) in an order of whole numbers, the lower half the number, turned round: of
two keys the larger is the higher score, and of equal scores the smaller number.
"""

import numpy as np

from shortlist.kernels import compiled

LOWEST = np.int64(-(2**63))
"""Below every key."""
_ALL = np.int32(0x7FFFFFFF)


@compiled
def key(score, number):
    """The key (int64) of a score and a number from 0 to 2³¹ - 1."""
    bits = np.float32(score).view(np.int32)
    if bits == np.int32(-(2**31)):  # a zero below zero is zero
        bits = np.int32(0)
    bits ^= (bits >> np.int32(31)) & _ALL
    return (np.int64(bits) << 32) | np.int64(_ALL - np.int32(number))


@compiled
def score_of(key):
    """The score (float32) of a key."""
    bits = np.int32(key >> 32)
    return np.int32(bits ^ ((bits >> np.int32(31)) & _ALL)).view(np.float32)


@compiled
def number_of(key):
    """The number (int32) of a key."""
    return np.int32(_ALL - np.int32(key & np.int64(_ALL)))


@compiled
def best_first(key_C, count, n):
    """The at most `n` largest of the first `count` keys, largest first. Their order changes."""
    if count > n:
        to_front(key_C, count, n)
        count = n
    return np.sort(key_C[:count])[::-1]


@compiled
def to_front(key_C, count, n):
    """Brings the `n` largest of the first `count` keys (more than n) to the front; gives the smallest of these."""
    low, high = 0, count - 1
    while low < high:
        middle = (low + high) // 2
        a, b, c = key_C[low], key_C[middle], key_C[high]
        pivot = max(min(a, b), min(max(a, b), c))
        left, right = low, high
        while left <= right:
            while key_C[left] > pivot:
                left += 1
            while key_C[right] < pivot:
                right -= 1
            if left <= right:
                key_C[left], key_C[right] = key_C[right], key_C[left]
                left += 1
                right -= 1
        if n - 1 <= right:
            high = right
        elif n - 1 >= left:
            low = left
        else:
            break
    smallest = key_C[0]
    for place in range(1, n):
        smallest = min(smallest, key_C[place])
    return smallest


@compiled
def write_by_number(key_C, count, number_K, score_K):
    """Writes the numbers of the first `count` keys, ascending, and their scores. The keys change."""
    for place in range(count):  # the halves change places; the order of the numbers is turned round
        key_C[place] = (key_C[place] & np.int64(_ALL)) << 32 | (key_C[place] >> 32) & np.int64(0xFFFFFFFF)
    ordered_K = np.sort(key_C[:count])[::-1]
    for place in range(count):
        number_K[place] = np.int32(_ALL - np.int32(ordered_K[place] >> 32))
        score_K[place] = score_of(ordered_K[place] << 32)
