"""LambdaMART: boosted trees that learn the order of the candidates in each list.

Each list is one user's candidates at one moment; a candidate is a hit or a miss. What the trees minimise:

- rank_xendcg: cross entropy between the scores' softmax over the list and a random gain of each hit, a bound on NDCG
  (S. Bruch, "An Alternative Cross Entropy Loss for Learning-to-Rank", WWW 2021);
- lambdarank: each pair of a hit and a miss weighed by what swapping them would change in NDCG, cut at `truncation`
  (C. Burges, "From RankNet to LambdaRank to LambdaMART", 2010);
- binary: log loss of each row alone.

Source: as named; the trees are LightGBM (Ke et al., NIPS 2017).  Differs: the first is the default, for it reaches what
the second does in two thirds of the time (docs/decisions/0002).  Cost: rows x features x rounds.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import polars as pl
from pydantic import Field, PositiveInt

from shortlist.boosted import Boosted, lightgbm_for
from shortlist.errors import DataError
from shortlist.seeds import Seeds


class LambdaMART(Boosted):
    """Recipe for a ranker of candidates."""

    kind: Literal["lambdamart"] = "lambdamart"
    objective: Literal["rank_xendcg", "lambdarank", "binary"] = "rank_xendcg"
    """What the trees minimise."""
    rounds: PositiveInt = 250
    """Trees."""
    leaves: int = Field(31, ge=2)
    """Leaves of each tree."""
    min_rows: PositiveInt = 100
    """Rows that a leaf needs."""
    feature_share: float = Field(0.3, gt=0, le=1)
    """Share of the features that each tree sees."""
    bins: int = Field(127, ge=2)
    """Values told apart in each feature."""
    truncation: PositiveInt = 20
    """Ranks that count in lambdarank."""

    def fit(self, rows: pl.DataFrame, *, seeds: Seeds) -> "FittedLambdaMART":
        """Learn from `rows`: `list` (rows of one list stand together), `hit` (0 or 1), and a column for each feature.

        Missing features are told from zero. Rows without a single hit or miss raise `DataError`.
        """
        lightgbm = lightgbm_for("ranking")
        hits = rows["hit"].to_numpy()
        if not 0 < hits.sum() < len(hits):
            raise DataError(
                f"the ranker needs hits and misses to learn from; of {len(hits)} candidates {int(hits.sum())} are "
                "hits: give it a longer history or a shorter horizon, or leave the ranker out"
            )
        names = tuple(name for name in rows.columns if name not in {"list", "hit"})
        lengths = rows.group_by("list", maintain_order=True).len()["len"].to_numpy()
        data = lightgbm.Dataset(_matrix(rows, names), label=hits, group=lengths, free_raw_data=True)
        settings = self.settings(self.objective, seeds.number("ranker")) | {
            "max_bin": self.bins,
            "lambdarank_truncation_level": self.truncation,
        }
        booster = lightgbm.train(settings, data, num_boost_round=self.rounds)
        return FittedLambdaMART(self, names, booster.model_to_string())


@dataclass(frozen=True)
class FittedLambdaMART:
    """The trees as LightGBM's text, and the names of the features in their order."""

    recipe: LambdaMART
    features: tuple[str, ...]
    trees: str

    def score(self, rows: pl.DataFrame, *, trees: int | None = None) -> np.ndarray:
        """A score for each row (float64, higher is better) by the first `trees`, or all; they compare within a list.

        With the objective binary they are log-odds, and compare between lists too.
        """
        if rows.height == 0:
            return np.zeros(0)
        scores: np.ndarray = self._booster.predict(
            _matrix(rows, self.features),
            num_iteration=trees or -1,
            raw_score=True,
            num_threads=self.recipe.threads or 0,
        )
        return scores

    def best(self, rows: pl.DataFrame, k: int) -> pl.DataFrame:
        """The rows that can stand among the first `k` of their list (one `user`), with their `score`.

        A fifth of the trees picks the first `max(100, 5k)` of each list, and all trees score these alone: early exit
        (Cambazoglu et al., WSDM 2010). Ties of the pick stay.
        """
        first = pl.Series("first", self.score(rows, trees=-(-self.recipe.rounds // 5)))
        pick = max(100, 5 * k)
        picked = rows.with_columns(first).filter(pl.col("first") >= pl.col("first").top_k(pick).min().over("user"))
        return picked.with_columns(score=pl.Series(self.score(picked), dtype=pl.Float64)).drop("first")

    def importances(self) -> pl.DataFrame:
        """Each `feature` and its `share` of what all splits gained, the largest first."""
        gains = self._booster.feature_importance("gain")
        return pl.DataFrame({"feature": self.features, "share": gains / max(gains.sum(), 1e-12)}).sort(
            ["share", "feature"], descending=[True, False]
        )

    @cached_property
    def _booster(self) -> Any:
        return lightgbm_for("ranking").Booster(model_str=self.trees)


def _matrix(rows: pl.DataFrame, names: tuple[str, ...]) -> np.ndarray:
    """(rows, features) float32; what is missing is NaN."""
    return rows.select(pl.col(name).cast(pl.Float32) for name in names).fill_null(float("nan")).to_numpy()
