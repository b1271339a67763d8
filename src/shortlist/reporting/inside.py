"""Inside: pictures of what a regression learnt, as Altair charts to be shown in a notebook or saved."""

import json
from collections.abc import Mapping
from typing import Any

import altair as alt
import polars as pl

from shortlist.errors import ConfigError
from shortlist.inside import factor_map, liked
from shortlist.models.networks import RISING
from shortlist.regression import FittedRegression
from shortlist.reporting import charts, numbers

LIGHT = {"ours": "#1f5cc4", "other": "#8b8e95", "faint": "#e9e9e6", "ink": "#1b1c1e", "muted": "#65676d"}
"""The colours of the page by day, which its style sheet gives and a notebook does not."""


def liked_chart(fitted: FittedRegression, n: int = 10, *, titles: Mapping[Any, str] | None = None) -> alt.TopLevelMixin:
    """The items of the highest and of the lowest biases as bars: see `shortlist.inside.liked`."""
    rows = liked(fitted, n, titles=titles).to_dicts()
    shown = [{"label": r["title"], "told": numbers.signed(r["bias"]), "value": r["bias"]} for r in rows]
    return _in_colour(
        charts.dots([row | {"low": None, "high": None, "ours": True} for row in shown], through_zero=True)
    )


def factor_map_chart(
    fitted: FittedRegression, n: int = 40, *, titles: Mapping[Any, str] | None = None
) -> alt.TopLevelMixin:
    """The most rated items on the first two principal components: see `shortlist.inside.factor_map`."""
    return _in_colour(charts.plane(factor_map(fitted, n, titles=titles).to_dicts()))


def loss_chart(fitted: FittedRegression) -> alt.TopLevelMixin:
    """The path of the loss, of training and of what was held out. Of models that no gradients train, `ConfigError`."""
    losses = fitted.inside().losses
    if losses is None:
        names = ", ".join(model.kind for model in fitted.recipe.models)
        raise ConfigError(f"{names}: no model of this regression was trained by gradients")
    return _in_colour(charts.path(losses.filter(pl.col("of") != RISING).to_dicts()))


def rate_chart(fitted: FittedRegression) -> alt.TopLevelMixin:
    """The loss of the run that looked for a learning rate, and the rate that was taken: where it was "auto".

    Where a rate was named, and of models that no gradients train, `ConfigError`.
    """
    losses = fitted.inside().losses
    rising = [] if losses is None else losses.filter(pl.col("of") == RISING).to_dicts()
    if not rising:
        raise ConfigError('no learning rate was looked for: name it "auto", as in Training(learning_rate="auto")')
    taken = next(model.recipe.training.learning_rate for model in fitted.models if hasattr(model.recipe, "training"))
    return _in_colour(charts.rates(rising, taken=taken))


def _in_colour(described: dict[str, Any]) -> alt.TopLevelMixin:
    text = json.dumps(described)
    for name, colour in LIGHT.items():
        text = text.replace(f"var(--{name})", colour)
    chart: alt.TopLevelMixin = alt.Chart.from_dict(json.loads(text))
    return chart
