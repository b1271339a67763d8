"""TextSearch: items whose texts share terms with the user's, or what users of like texts met.

tfidf: score(u, i) = cos(x(u), x(i)), x(t) = log(1 + tf(t)) · idf(t), idf(t) = 1 + log((1 + N) / (1 + N_t));
bm25: score(u, i) = Σ_t tf(u, t) · idf(t) · tf(i, t) (1 + k) / (tf(i, t) + k (1 - b + b · |i| / mean |i|)),
idf(t) = log(1 + (N - N_t + ½) / (N_t + ½)), k = 1.2, b = 0.75;
N the items, N_t those that have term t, |i| the sum of an item's tf. Terms are runs of characters (see `ngrams`), so
that no language needs a tokenizer. Users and items meet only where their `within` columns agree, a language say; N and
N_t count the items of that kind alone.

With `neighbours` score(u, i) = Σ_v x(u) · x(v), over the so many users v who met something and whose x are nearest to
that of u, and who met i: contents of topics that are alike.

Source: Salton, Buckley, "Term-weighting approaches in automatic text retrieval", 1988; Robertson, Zaragoza, "The
probabilistic relevance framework: BM25 and beyond", 2009; character n-grams: McNamee, Mayfield, 2004.
Differs: a term in a later column or in those above in the tree counts half (see `texts`).
Cost of lists: one addition for each item (or user) that has a term of the query. Nothing is learnt from events but who
met what, where neighbours are asked.

Shapes: U users, I items, T terms, E entries.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import polars as pl
from pydantic import PositiveFloat, PositiveInt
from scipy import sparse

from shortlist.dataset.dataset import Dataset
from shortlist.dataset.views import interactions
from shortlist.models.between_texts import BetweenTexts, Terms
from shortlist.models.item_to_item import lists, ones, rows_of
from shortlist.models.retrieval import Request, answered

K, B = 1.2, 0.75
"""The constants of BM25, as published."""
SKETCHED = 256
"""Numbers of a vector in which texts are held against each other."""


class TextSearch(BetweenTexts, Terms):
    """Recipe for a search in the items' texts by those of the users."""

    kind: Literal["text_search"] = "text_search"
    weighting: Literal["tfidf", "bm25"] = "tfidf"
    """How much a term counts."""
    neighbours: PositiveInt | None = None
    """Users of like texts whose items are answered; none: items are, by their own texts."""
    votes: PositiveFloat = 1.0
    """How much its ranks count where those of several retrievers are fused."""

    def fit(self, data: Dataset) -> "FittedTextSearch":
        """Count. Users and items without a text, and unknown ones, get nothing and are never answered.

        Tables without a text, and columns that they lack, raise `ColumnError`.
        """
        recipe, sides = self.settled(data)
        items = sides.items.height
        texts = recipe.items.of(sides.items, sides.above_items)
        item_E, term_E, times_E = recipe.terms(texts, recipe.kinds(sides.items))
        terms, number_E = np.unique(term_E, return_inverse=True)
        kinds, kind_I = np.unique(recipe.kinds(sides.items), return_inverse=True)
        met_T = np.bincount(number_E, minlength=len(terms))
        kind_T = np.zeros(len(terms), np.int64)
        kind_T[number_E] = kind_I[item_E]
        length_I = np.bincount(item_E, weights=times_E, minlength=items)
        of_kind = np.bincount(kind_I, minlength=len(kinds))
        mean = np.bincount(kind_I, weights=length_I, minlength=len(kinds)) / np.maximum(of_kind, 1)
        fitted = FittedTextSearch(
            recipe=recipe,
            terms=terms,
            rarity=recipe.rarity(of_kind[kind_T], met_T),
            mean_length=mean[kind_T].astype(np.float32),
            queries=sparse.csr_array((0, len(terms)), dtype=np.float32),
            weights=sparse.csr_array((len(terms), 0), dtype=np.float32),
            above_users=sides.above_users,
            above_items=sides.above_items,
            met=ones(interactions(data)) if self.neighbours is not None else None,
        )
        weights_IT = fitted.item_weights(item_E, number_E, times_E, items)
        queries_UT = fitted.read(sides.users, sides.above_users)
        return replace(fitted, queries=queries_UT, weights=_transposed(weights_IT))

    def rarity(self, items: np.ndarray, met: np.ndarray) -> np.ndarray:
        """The idf (float32) of terms that `met` of so many `items` have."""
        if self.weighting == "bm25":
            idf = np.log1p((items - met + 0.5) / (met + 0.5))
        else:
            idf = 1 + np.log((1 + items) / (1 + met))
        rarity: np.ndarray = idf.astype(np.float32)
        return rarity


@dataclass(frozen=True)
class FittedTextSearch:
    """The `terms` (ascending) and their `rarity`, `mean_length` of the items that share their kind, what the users ask
    (`queries`, U × T) and the items answer (`weights`, T × I), and the titles of what later ones may stand under.

    The `recipe` names the columns that were found.
    """

    recipe: TextSearch
    terms: np.ndarray
    rarity: np.ndarray
    mean_length: np.ndarray
    queries: sparse.csr_array
    weights: sparse.csr_array
    above_users: pl.DataFrame
    above_items: pl.DataFrame
    met: sparse.csr_array | None
    """Who met what (ones, users who were there at the fit × items), where neighbours are asked."""

    def retrieve(self, request: Request) -> pl.DataFrame:
        """The items of the largest score; one that shares no term, or that no neighbour met, is not answered."""
        asked = rows_of(self.queries, request.users)
        barred = request.barred(self.weights.shape[1])
        if self.met is None:
            found = lists(asked, self.weights, request.k, barred_BI=barred, allowed=request.items)
        else:
            near_BU = self._near(asked, request.users)
            found = lists(near_BU, self.met, request.k, barred_BI=barred, allowed=request.items)
        return answered(request.users, *found)

    def _near(self, asked_BT: sparse.csr_array, users: np.ndarray) -> sparse.csr_array:
        """How alike those asked for are to the nearest users who met something, themselves left out."""
        if self.met is None or self.recipe.neighbours is None:
            raise AssertionError("neighbours are asked for")
        number, score = lists(
            asked_BT, self._by_term_of_learnt, self.recipe.neighbours, barred_BI=_itself(users, self.met.shape[0])
        )
        row, there = np.repeat(np.arange(len(users)), (number >= 0).sum(axis=1)), number >= 0
        shape = (len(users), self.met.shape[0])
        return sparse.csr_array(sparse.coo_array((score[there], (row, number[there])), shape=shape))

    @cached_property
    def _by_term_of_learnt(self) -> sparse.csr_array:
        """What users ask who met something, a row for each term."""
        if self.met is None:
            raise AssertionError("neighbours are asked for")
        learnt = rows_of(self.queries, np.arange(self.met.shape[0]))
        learnt.data *= np.repeat(np.diff(self.met.indptr) > 0, np.diff(learnt.indptr))
        learnt.eliminate_zeros()
        return _transposed(learnt)

    @cached_property
    def _by_term(self) -> sparse.csr_array:
        """What users ask, a row for each term."""
        return _transposed(self.queries)

    @cached_property
    def item_vectors(self) -> np.ndarray:
        """Vectors of the items (float32, I × SKETCHED) whose products are about those of their weights.

        Each term is added to one of the numbers, or taken from it, as its hash says (count sketch: Charikar, Chen,
        Farach-Colton, 2002; feature hashing: Weinberger et al., ICML 2009), and rows are made of length one.
        """
        place = (self.terms.view(np.uint64) % np.uint64(SKETCHED)).astype(np.int32)
        sign = np.where(self.terms.view(np.uint64) >> np.uint64(63), np.float32(1), np.float32(-1))
        starts = np.arange(len(self.terms) + 1)
        hashed_TD = sparse.csr_array((sign, place, starts), shape=(len(self.terms), SKETCHED))
        vector_ID = np.asarray((_transposed(self.weights) @ hashed_TD).todense(), dtype=np.float32)
        length_I = np.sqrt(np.einsum("id,id->i", vector_ID, vector_ID, dtype=np.float64))
        vectors: np.ndarray = vector_ID / np.where(length_I > 0, length_I, 1)[:, None].astype(np.float32)
        return vectors

    def similar_items(self, items: np.ndarray, k: int) -> pl.DataFrame:
        """The `k` items that share most with each, by the items' weights: `item`, `similar`, `score`, `rank`."""
        return _alike(items, _transposed(self.weights), self.weights, k).rename({"user": "item", "item": "similar"})

    def similar_users(self, users: np.ndarray, k: int) -> pl.DataFrame:
        """The `k` users that ask most alike: `user`, `similar` (int32), `score`, `rank`."""
        return _alike(users, self.queries, self._by_term, k).rename({"item": "similar"})

    def with_users(self, told: pl.DataFrame) -> "FittedTextSearch":
        """The same where further users follow the known ones, a row of `user_id` and columns each."""
        above = pl.concat([self.above_users, self.recipe.users.named(told, told["user_id"])])
        later = self.read(told, above)
        queries = sparse.vstack([self.queries, later], format="csr")
        return replace(self, queries=sparse.csr_array(queries), above_users=above)

    def with_items(self, told: pl.DataFrame) -> "FittedTextSearch":
        """The same where further items follow the known ones, a row of `item_id` and columns each.

        Terms that no known item has say nothing of them.
        """
        above = pl.concat([self.above_items, self.recipe.items.named(told, told["item_id"])])
        text, term, times = self._known(*self.recipe.terms(self.recipe.items.of(told, above), self.recipe.kinds(told)))
        later = self.item_weights(text, term, times, told.height)
        weights = sparse.hstack([self.weights, _transposed(later)], format="csr")
        return replace(self, weights=sparse.csr_array(weights), above_items=above)

    def read(self, table: pl.DataFrame, above: pl.DataFrame) -> sparse.csr_array:
        """What the rows of a table of users ask (float32, a row each, T columns)."""
        text, term, times = self._known(
            *self.recipe.terms(self.recipe.users.of(table, above), self.recipe.kinds(table))
        )
        if self.recipe.weighting == "bm25":
            return self._matrix(text, term, times * self.rarity[term], table.height)
        return _unit(self._matrix(text, term, np.log1p(times) * self.rarity[term], table.height))

    def item_weights(self, item: np.ndarray, term: np.ndarray, times: np.ndarray, items: int) -> sparse.csr_array:
        """What items answer (float32, items × T): `times` of `term` in `item`."""
        if self.recipe.weighting == "tfidf":
            return _unit(self._matrix(item, term, np.log1p(times) * self.rarity[term], items))
        length = np.bincount(item, weights=times, minlength=items)[item] / np.maximum(self.mean_length[term], 1e-9)
        return self._matrix(item, term, times * (1 + K) / (times + K * (1 - B + B * length)), items)

    def _known(
        self, text: np.ndarray, term: np.ndarray, times: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The entries whose term is known, by its number."""
        if not len(self.terms):
            return text[:0], term[:0], times[:0]
        place = np.minimum(np.searchsorted(self.terms, term), len(self.terms) - 1)
        known = self.terms[place] == term
        return text[known], place[known], times[known]

    def _matrix(self, text: np.ndarray, term: np.ndarray, values: np.ndarray, rows: int) -> sparse.csr_array:
        starts = np.concatenate([[0], np.cumsum(np.bincount(text, minlength=rows))])
        entries = (values.astype(np.float32), term.astype(np.int32), starts)
        return sparse.csr_array(entries, shape=(rows, len(self.terms)))


def _alike(of: np.ndarray, rows_RT: sparse.csr_array, by_term_TR: sparse.csr_array, k: int) -> pl.DataFrame:
    """The `k` rows of the largest product with each of the rows `of`, which is not its own; unknown rows have none."""
    return answered(of, *lists(rows_of(rows_RT, of), by_term_TR, k, barred_BI=_itself(of, rows_RT.shape[0])))


def _itself(of: np.ndarray, rows: int) -> sparse.csr_array:
    """A one for each of `of` at itself among so many rows; none for a number that is none of a row."""
    known = (of >= 0) & (of < rows)
    each = (np.ones(known.sum(), np.float32), of[known].astype(np.int32), np.append(0, np.cumsum(known)))
    return sparse.csr_array(each, shape=(len(of), rows))


def _unit(matrix: sparse.csr_array) -> sparse.csr_array:
    """The same in rows of length one."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    squared = np.bincount(rows, weights=matrix.data.astype(np.float64) ** 2, minlength=matrix.shape[0])
    matrix.data = (matrix.data / np.sqrt(squared)[rows]).astype(np.float32)
    return matrix


def _transposed(matrix: sparse.csr_array) -> sparse.csr_array:
    turned = sparse.csr_array(matrix.T)
    turned.sort_indices()
    return turned
