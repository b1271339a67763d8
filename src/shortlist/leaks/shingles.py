"""Near-duplicate texts: which texts of one list are nearly the same as texts of another.

Two texts are near duplicates where their sets of five-character shingles have a Jaccard similarity |A ∩ B| / |A ∪ B|
of `ALIKE`. Candidates come from locality-sensitive hashing: one hash of each shingle falls into one of 64 bins, a bin
keeps its smallest value, an empty bin takes that of the next one (one permutation hashing with rotation), and texts
that agree in all four bins of one of 16 bands are candidates; each is then verified on the shingles themselves. A
pair of similarity 0.8 is a candidate with probability 1 - (1 - 0.8⁴)¹⁶ = 0.9998.

Sources: A. Z. Broder, "On the resemblance and containment of documents", 1997; A. Shrivastava and P. Li, "Densifying
One Permutation Hashing via Rotation for Fast Near Neighbor Search", ICML 2014.  Differs: an empty bin takes the value
of its neighbour without an offset for the distance, which only makes more candidates.
Cost: linear in the characters; 256 bytes a text, and at most `PER_BUCKET` candidates for each text and band.
"""

from collections.abc import Iterator

import numpy as np
import polars as pl

from shortlist.dataset.ngrams import letters_of, mixed

ALIKE = 0.8
"""Jaccard similarity from which two texts are near duplicates."""
WIDTH = 5
"""Characters of a shingle."""
LONGEST = 2_000
"""Characters of a text that are looked at."""
BINS, BANDS = 64, 16
PER_BUCKET = 3
"""Texts of the other list that are compared for each text and band; more are much the same text again."""
_AT_ONCE = 2_000_000
_EMPTY = np.iinfo(np.uint32).max


def plain(texts: pl.Series) -> pl.Series:
    """The texts without what does not make a difference: case, width of letters, runs of spaces, all past `LONGEST`."""
    return (
        texts.fill_null("")
        .str.normalize("NFKC")
        .str.to_lowercase()
        .str.replace_all(r"\s+", " ")
        .str.strip_chars()
        .str.slice(0, LONGEST)
    )


def near_duplicates(texts: pl.Series, others: pl.Series) -> pl.DataFrame:
    """The `texts` that have near duplicates among `others`: `text` and `other` (places) of the most alike, `times`.

    `times` is how many of the others are near duplicates; beyond `PER_BUCKET` not all are counted. Texts are as `plain`
    gives them; those shorter than a shingle have none.
    """
    text_keys, other_keys = _band_keys(texts), _band_keys(others)
    candidates = []
    for band in range(BANDS):
        keyed = pl.DataFrame({"text": np.arange(len(texts)), "key": text_keys[:, band]})
        met = pl.DataFrame({"other": np.arange(len(others)), "key": other_keys[:, band]})
        met = met.filter(pl.int_range(pl.len()).over("key") < PER_BUCKET)
        candidates.append(keyed.join(met, on="key").select("text", "other"))
    pairs = pl.concat(candidates).unique().sort("text", "other")
    ours, theirs = texts.to_list(), others.to_list()
    alike = [_jaccard(ours[text], theirs[other]) for text, other in pairs.iter_rows()]
    found = pairs.with_columns(alike=pl.Series(alike, dtype=pl.Float64)).filter(pl.col("alike") >= ALIKE)
    best = found.sort("alike", descending=True, maintain_order=True)
    return best.group_by("text", maintain_order=True).agg(pl.col("other").first(), times=pl.len()).sort("text")


def _jaccard(one: str, other: str) -> float:
    a, b = ({text[place : place + WIDTH] for place in range(max(0, len(text) - WIDTH + 1))} for text in (one, other))
    return len(a & b) / len(a | b) if a and b else 0.0


def _band_keys(texts: pl.Series) -> np.ndarray:
    """A number for each text and band (N, BANDS): equal where all bins of the band are."""
    rows = BINS // BANDS
    keys = np.empty((len(texts), BANDS), dtype=np.uint64)
    for start, block in _blocks(texts):
        sketch = _sketch(block).reshape(len(block), BANDS, rows).astype(np.uint64)
        key = np.zeros((len(block), BANDS), dtype=np.uint64)
        for row in range(rows):
            key = mixed(key * np.uint64(0x100000001B3) + sketch[:, :, row])
        # A text without shingles is like no other.
        bare = (block.str.len_chars() < WIDTH).to_numpy()
        key[bare] = mixed(np.arange(start, start + len(block), dtype=np.uint64))[bare, None]
        keys[start : start + len(block)] = key
    return keys


def _blocks(texts: pl.Series) -> Iterator[tuple[int, pl.Series]]:
    """Runs of texts of about `_AT_ONCE` characters together."""
    ends = texts.str.len_chars().cum_sum().to_numpy()
    start = 0
    while start < len(texts):
        seen = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, seen + _AT_ONCE, side="right")))
        yield start, texts[start:stop]
        start = stop


def _sketch(texts: pl.Series) -> np.ndarray:
    """The smallest value of each bin (N, BINS)."""
    letters, owner, left = letters_of(texts)
    hashed = np.zeros(len(letters), dtype=np.uint64)
    for place in range(WIDTH):
        hashed *= np.uint64(0x9E3779B1)
        hashed[: max(0, len(letters) - place)] += letters[place:]
    whole = left >= WIDTH
    hashed, owner = mixed(hashed[whole]), owner[whole]
    bins = (hashed >> np.uint64(58)).astype(np.int64)
    smallest = np.full(len(texts) * BINS, _EMPTY, dtype=np.uint32)
    np.minimum.at(smallest, owner * BINS + bins, (hashed & np.uint64(0xFFFFFFFF)).astype(np.uint32))
    sketch: np.ndarray = smallest.reshape(len(texts), BINS)
    for _ in range(BINS - 1):
        empty = sketch == _EMPTY
        if not empty.any():
            break
        sketch = np.where(empty, np.roll(sketch, -1, axis=1), sketch)
    return sketch
