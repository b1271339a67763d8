"""Similar: what is most like what, as the models know it, in the caller's ids."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from shortlist.dataset.ids import IdMap
from shortlist.errors import ConfigError
from shortlist.models import able
from shortlist.tables.frames import ids_of


def similar(models: Mapping[str, Any], ids: IdMap, asked: Any, k: int) -> pl.DataFrame:
    """For each asked id the `k` most like it: its own column (`item_id` or `user_id`), `similar_id`, `rank`, `score`.

    The first model answers that has a method `similar_items(items, k)` or `similar_users(users, k)`, which takes
    dense int32 and gives a frame `item` (or `user`), `similar`, `score`, `rank`. Without such a one, `ConfigError`.
    """
    one = ids.name.removesuffix("_id")
    verb = f"similar_{one}s"
    if k < 1:
        raise ConfigError(f"k={k}: ask for one at least")
    model = next((model for model in models.values() if hasattr(model, verb)), None)
    if model is None:
        raise ConfigError(
            f"no retriever of this pipeline ({', '.join(models)}) knows similar {one}s: "
            f"fit one with {', '.join(able(verb))}"
        )
    numbers = ids.numbers(ids_of(asked, ids.name).unique(maintain_order=True))
    order = pl.DataFrame({one: numbers[numbers >= 0]})
    found = getattr(model, verb)(order[one].to_numpy(), min(k, len(ids)))
    rows = order.join(found, on=one, maintain_order="left_right")
    alike = ids.originals(rows["similar"]).alias("similar_id")
    return rows.select(ids.originals(rows[one]), alike, "rank", "score")
