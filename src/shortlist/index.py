"""An index of item vectors: the largest inner products with a query, exactly or nearly, in memory or on disk.

Four kinds. `flat` compares with every item, exactly (`shortlist.topk`). Through faiss (extra `ann`): `ivf` sorts items
into about 4 √I lists and looks through the most promising ones (Jégou et al., TPAMI 2011), `hnsw` walks a graph of
neighbours (Malkov and Yashunin, TPAMI 2018), `sq8` compares with every item; ivf and sq8 keep a byte a factor. What
they find is scored again from the vectors and sorted by the rules of `top_k`.

The rule of `auto`: flat up to a million items, ivf beyond. Measured at a million made-up vectors of 64 factors in
20,000 clusters, k = 100, time of a core that multiplies bytes: flat takes 4.4 ms for one query and 0.4 ms each in a
batch; ivf at a recall of 0.98 takes 3.6 ms and 3.1 ms, and 50 s to build. (In 500 clusters, which lists fit well, ivf
takes 0.3 ms.) hnsw and sq8 are there to be asked for: at 100,000 items hnsw was slower than ivf and took longer to
build, and flat, which compares bytes first too, is faster than sq8.

Shapes: Q queries, I items, F factors, A allowed items, K answers, C candidates.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from scipy import sparse

from shortlist import store
from shortlist.errors import ConfigError, MissingExtraError, StoreError
from shortlist.threads import blocks, cores
from shortlist.topk import Catalogue, Codes, checked, top_k, top_k_among

Kind = Literal["flat", "ivf", "hnsw", "sq8"]

FLAT_UP_TO = 1_000_000
"""Items up to which `auto` is flat."""
RECALL = 0.95
"""The recall that an index searches hard enough for."""
_SAMPLE, _SAMPLE_K = 256, 100
"""Queries by which the recall is measured, and how many answers of each."""
_PER_LIST, _FEWEST = 64, 8
"""Vectors a list from which its centre is learnt, and which a list has on average at least."""
_FILE = "faiss"
_AT_ONCE = 4096
"""Queries whose candidates are held at one time."""
_SPARE = 1000
"""Excluded items of a query for which more candidates are asked."""
_FEW = 20_000
"""Allowed items up to which every one is compared; or a tenth of all, because the best of few lie far apart."""


@dataclass(frozen=True)
class About:
    """What an index is, without what faiss made of it."""

    kind: Kind
    recall: float
    effort: int
    catalogue: Catalogue


@dataclass(frozen=True)
class Index:
    """Item vectors that can be searched; `Index.build` makes one, `Index.load` opens one."""

    about: About
    faiss_index: Any

    @property
    def kind(self) -> str:
        """How it searches."""
        return self.about.kind

    @property
    def recall(self) -> float:
        """The share of the 100 best items that is found, measured when it was built; 1 where it is exact."""
        return self.about.recall

    @classmethod
    def build(
        cls,
        vectors: np.ndarray,
        kind: Kind | Literal["auto"] = "auto",
        *,
        queries: np.ndarray | None = None,
        seed: int = 0,
        threads: int | None = None,
    ) -> "Index":
        """The index of `vectors` (I × F, taken as float32).

        Its effort (lists, or nodes of the graph, looked at) is doubled until the recall is `RECALL` on a sample of
        `queries` like those to come; without them, of the items themselves. A graph is built on one thread, so that it
        is the same each time.
        """
        if kind not in ("auto", *get_args(Kind)):
            raise ConfigError(f"there is no index of the kind {kind!r}: choose auto, {', '.join(get_args(Kind))}")
        if kind == "auto":
            kind = "flat" if len(vectors) <= FLAT_UP_TO else "ivf"
        if kind == "flat" or not len(vectors):
            return cls(About("flat", 1.0, 0, Catalogue.of(vectors, threads=threads)), None)
        catalogue = Catalogue.of(vectors, rounded=False, threads=threads)
        with _faiss(1 if kind == "hnsw" else threads) as faiss:
            faiss_index = _trained(faiss, catalogue.item_IF, kind, seed)
            faiss_index.add(catalogue.item_IF)
        asked = catalogue.item_IF if queries is None else queries
        sample = asked[np.linspace(0, len(asked) - 1, min(_SAMPLE, len(asked))).astype(np.int64)].astype(np.float32)
        k = min(_SAMPLE_K, len(vectors))
        nothing = sparse.csr_array((len(sample), len(vectors)), dtype=np.int8)
        wanted, _ = top_k(sample, catalogue, k, threads=threads)
        most = {"ivf": getattr(faiss_index, "nlist", 1), "hnsw": len(vectors), "sq8": 1}[kind]
        effort, recall = min(8, most), 0.0
        while True:
            built = cls(About(kind, recall, effort, catalogue), faiss_index)
            found, _ = built._nearly(sample, k, nothing, None, threads)
            recall = float(np.mean([len(np.intersect1d(*pair)) / k for pair in zip(found, wanted, strict=True)]))
            if recall >= RECALL or effort == most:
                return cls(About(kind, recall, effort, catalogue), faiss_index)
            effort = min(2 * effort, most)

    def search(
        self,
        queries: np.ndarray,
        k: int,
        *,
        exclude: sparse.csr_array | None = None,
        allowed: np.ndarray | None = None,
        threads: int | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """What `shortlist.topk.top_k` answers; but for a flat index, nearly.

        Scores are exact. A list is never shorter than that of `top_k`: where excluded or not allowed items leave too
        few candidates, the query is answered exactly.
        """
        catalogue = self.about.catalogue
        few = allowed is not None and len(allowed) <= max(_FEW, len(catalogue.item_IF) // 10)
        if self.about.kind == "flat" or few:
            return top_k(queries, catalogue, k, exclude=exclude, allowed=allowed, threads=threads)
        query_QF, _, excluded, allowed_A = checked(queries, catalogue, exclude, allowed, threads)
        best_QK, score_QK = np.empty((len(queries), k), np.int32), np.empty((len(queries), k))
        for start, end in blocks(len(queries), _AT_ONCE):
            rows = slice(start, end)
            best_QK[rows], score_QK[rows] = self._nearly(query_QF[rows], k, excluded[rows], allowed_A, threads)
        short_S = np.flatnonzero((best_QK < 0).any(axis=1))
        if len(short_S):
            best_QK[short_S], score_QK[short_S] = top_k(
                query_QF[short_S], catalogue, k, exclude=excluded[short_S], allowed=allowed_A, threads=threads
            )
        return best_QK, score_QK

    def _nearly(
        self,
        query_QF: np.ndarray,
        k: int,
        exclude: sparse.csr_array,
        allowed_A: np.ndarray | None,
        threads: int | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The best of what faiss finds, as far as it finds enough."""
        catalogue = self.about.catalogue
        spare = min(int(np.diff(exclude.indptr).max()), _SPARE)
        most = min(2 * max(k, _SAMPLE_K) + spare, len(catalogue.item_IF))
        with _faiss(threads) as faiss:
            limits = {} if allowed_A is None else {"sel": _selector(faiss, allowed_A, len(catalogue.item_IF))}
            match self.about.kind:
                case "ivf":
                    how = faiss.SearchParametersIVF(nprobe=self.about.effort, **limits)
                case "hnsw":
                    how = faiss.SearchParametersHNSW(efSearch=max(self.about.effort, most), **limits)
                case _:
                    how = faiss.SearchParameters(**limits)
            _, candidate_QC = self.faiss_index.search(query_QF, most, params=how)
        candidate_QC[_among(candidate_QC, exclude)] = -1
        return top_k_among(query_QF, catalogue, candidate_QC, k, threads=threads)

    def save(self, path: str | Path) -> None:
        """Writes the index as a directory; what stood there before stays until all is written."""
        with store.replacing(Path(path)) as (contents, manifest):
            manifest["index"] = store.write(contents, self.about)
            if self.faiss_index is not None:
                with _faiss(None) as faiss:
                    faiss.write_index(self.faiss_index, str(contents / _FILE))

    @classmethod
    def load(cls, path: str | Path) -> "Index":
        """The index that was saved there. Its vectors and lists are mapped: read from disk as they are needed."""
        told = store.manifest(path)
        if "index" not in told:
            raise StoreError(f"{str(path)!r} is stored by Shortlist, but it is not an index")
        contents = store.contents_of(path)
        about = store.read(contents, told["index"], {kind.__name__: kind for kind in (About, Catalogue, Codes)})
        if about.kind == "flat":
            return cls(about, None)
        with _faiss(None) as faiss:
            try:
                return cls(about, faiss.read_index(str(contents / _FILE), faiss.IO_FLAG_MMAP_IFC))
            except RuntimeError as error:
                raise StoreError(f"{contents / _FILE} is damaged or missing: {error}") from None


def _trained(faiss: Any, item_IF: np.ndarray, kind: Kind, seed: int) -> Any:
    """An index of faiss, empty, that knows how the vectors lie."""
    items, factors = item_IF.shape
    if kind == "hnsw":
        graph = faiss.index_factory(factors, "HNSW32,Flat", faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction = 80
        return graph
    if kind == "sq8":
        codes = faiss.index_factory(factors, "SQ8", faiss.METRIC_INNER_PRODUCT)
        codes.train(item_IF)
        return codes
    lists = max(1, min(2 ** round(np.log2(4 * np.sqrt(items))), items // _FEWEST))
    made = faiss.index_factory(factors, f"IVF{lists},SQ8", faiss.METRIC_INNER_PRODUCT)
    made.cp.seed, made.cp.niter = seed, 10
    made.cp.min_points_per_centroid, made.cp.max_points_per_centroid = 1, _PER_LIST
    made.train(item_IF)
    return made


def _selector(faiss: Any, allowed_A: np.ndarray, items: int) -> Any:
    bits_I = np.zeros(items, np.bool_)
    bits_I[allowed_A] = True
    return faiss.IDSelectorBitmap(np.packbits(bits_I, bitorder="little"))


def _among(candidate_QC: np.ndarray, exclude: sparse.csr_array) -> np.ndarray:
    """Which candidates are excluded from their query."""
    items = exclude.shape[1]
    if not exclude.nnz:
        return np.zeros(candidate_QC.shape, np.bool_)
    rows_N = np.repeat(np.arange(len(candidate_QC), dtype=np.int64), np.diff(exclude.indptr))
    key_N = np.sort(rows_N * items + exclude.indices)
    key_QC = np.arange(len(candidate_QC), dtype=np.int64)[:, None] * items + candidate_QC
    place_QC = np.minimum(np.searchsorted(key_N, key_QC), len(key_N) - 1)
    excluded: np.ndarray = key_N[place_QC] == key_QC
    return excluded


@contextmanager
def _faiss(threads: int | None) -> Iterator[Any]:
    """The library, with so many threads for a while."""
    try:
        import faiss
    except ImportError:
        raise MissingExtraError("faiss-cpu", "ann", "an index that is not flat") from None
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(threads or cores())
    try:
        yield faiss
    finally:
        faiss.omp_set_num_threads(before)
