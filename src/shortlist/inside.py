"""Inside: what a regression learnt, as tables to be looked at: who is liked, and what lies near what."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from shortlist.errors import ConfigError
from shortlist.regression import FittedRegression


def liked(fitted: FittedRegression, n: int = 10, *, titles: Mapping[Any, str] | None = None) -> pl.DataFrame:
    """The `n` items of the highest biases and the `n` of the lowest: `item_id`, `title`, `bias`, `ratings`.

    A bias is what an item gets from the mean of the users, beyond the usual: an item may be liked though few met it.
    The highest comes first; items without ratings are left out. Without biases, `ConfigError`.
    """
    bias_I = fitted.inside().item_bias
    if bias_I is None:
        raise ConfigError(f"{_models(fitted)}: no model of this regression has biases")
    rows = _rows(fitted, titles).with_columns(bias=pl.Series(bias_I.astype(np.float64))).filter(pl.col("ratings") > 0)
    rows = rows.sort(["bias", "item_id"], descending=[True, False])
    return rows if rows.height <= 2 * n else pl.concat([rows.head(n), rows.tail(n)])


def factor_map(fitted: FittedRegression, n: int = 40, *, titles: Mapping[Any, str] | None = None) -> pl.DataFrame:
    """The `n` most rated items on a plane: `item_id`, `title`, `ratings`, `x`, `y`, the most rated first.

    x and y are the first two principal components of their factors: items near each other are rated alike. A
    component's larger half lies to the right, and up. Without factors, or with one alone, `ConfigError`.
    """
    factors_IF = fitted.inside().item_factors
    if factors_IF is None or factors_IF.shape[1] < 2:
        raise ConfigError(f"{_models(fitted)}: no model of this regression has two factors or more to make a map of")
    known = fitted.counts > 0
    centred_IF = factors_IF.astype(np.float64) - factors_IF[known].mean(axis=0) if known.any() else factors_IF
    values, axes_FF = np.linalg.eigh(centred_IF[known].T @ centred_IF[known])
    place_I2 = centred_IF @ axes_FF[:, np.argsort(values)[::-1][:2]]
    place_I2 *= np.where(place_I2[known].sum(axis=0) < 0, -1, 1) if known.any() else 1
    rows = _rows(fitted, titles).with_columns(x=pl.Series(place_I2[:, 0]), y=pl.Series(place_I2[:, 1]))
    return rows.filter(pl.col("ratings") > 0).sort(["ratings", "item_id"], descending=[True, False]).head(n)


def _rows(fitted: FittedRegression, titles: Mapping[Any, str] | None) -> pl.DataFrame:
    ids = fitted.item_ids.ids
    named = [str((titles or {}).get(item, item)) for item in ids]
    return pl.DataFrame([ids.alias("item_id"), pl.Series("title", named), pl.Series("ratings", fitted.counts)])


def _models(fitted: FittedRegression) -> str:
    return ", ".join(model.kind for model in fitted.recipe.models)
