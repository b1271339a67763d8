"""Boosted trees: what their recipes share, and LightGBM, which makes them where it is installed."""

from typing import Any

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from shortlist.config import Config
from shortlist.errors import MissingExtraError


def lightgbm_for(why: str) -> Any:
    """The library; without it, `MissingExtraError`."""
    try:
        import lightgbm
    except ImportError:
        raise MissingExtraError("lightgbm", "rank", why) from None
    return lightgbm


class Boosted(Config):
    """What the recipes of all boosted trees have in common."""

    rounds: PositiveInt
    """Trees."""
    learning_rate: PositiveFloat = 0.05
    """Weight of each tree."""
    leaves: int = Field(ge=2)
    """Leaves of each tree."""
    min_rows: PositiveInt
    """Rows that a leaf needs."""
    l2: NonNegativeFloat = 5.0
    """Ridge on the leaves, in rows."""
    feature_share: float = Field(gt=0, le=1)
    """Share of the features that each tree sees."""
    row_share: float = Field(0.8, gt=0, le=1)
    """Share of the rows that each tree sees."""
    threads: PositiveInt | None = None
    """Cores; none uses all. The bits of the model do not depend on it on one machine."""

    def settings(self, objective: str, seed: int) -> dict[str, Any]:
        """What the library is told."""
        return {
            "objective": objective,
            "learning_rate": self.learning_rate,
            "num_leaves": self.leaves,
            "min_data_in_leaf": self.min_rows,
            "lambda_l2": self.l2,
            "feature_fraction": self.feature_share,
            "bagging_fraction": self.row_share,
            "bagging_freq": 1,
            "seed": seed,
            "num_threads": self.threads or 0,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }
