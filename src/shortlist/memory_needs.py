"""Memory report: what training a network on a dataset will need, before it begins."""

from typing import Any

from shortlist.dataset.dataset import Dataset
from shortlist.errors import ConfigError
from shortlist.training.memory import Needs


def memory_report(recipe: Any, data: Dataset) -> Needs:
    """The bytes that a recipe's weights, gradients, optimizer, activations and rows will take; print it to read it.

    What training took stands in a fitted rating network: `peak_mb`. Models that no gradients train raise `ConfigError`.

    >>> import shortlist as sl
    >>> from shortlist.tables import samples
    >>> data = sl.Dataset.read(samples.shop(users=50, items=20, days=30, seed=1).events)
    >>> memory_report(sl.DotProduct(factors=8), data).of()["weights"]
    2520
    """
    if not hasattr(recipe, "needs"):
        raise ConfigError(f"{type(recipe).__name__} is not trained by gradients: only of networks this is told")
    pairs = data.engine.frame(data.events.select("user", "item").distinct().count().as_table())[0, 0]
    needs: Needs = recipe.needs(len(data.user_ids), len(data.item_ids), int(pairs))
    return needs
