"""Titles: what people call an item, found in the items table by rule.

1. A text column that is called `title`, `name`, `label` or `headline`, alone or after what items are called, such as
   `item_name`, `productName`, `Movie-Title`: the first of these in this order.
2. Else the two text columns with the most to tell: those with the most letters in all their different values, among
   columns that half of the items or more have, with 60 letters or fewer on average. The more telling one comes first.
3. Else the item's own id.

An item whose columns are all empty is called by its id.
"""

from collections.abc import Sequence

import ibis
import polars as pl

from shortlist.dataset.dataset import Dataset

BETWEEN = " · "
"""Stands between two columns of one title."""
_CALLED = ("title", "name", "label", "headline")
_KINDS = (
    "", "item", "product", "article", "movie", "film", "book", "track", "song", "game", "content", "challenge", "topic",
)  # fmt: skip
_MOST_LETTERS = 60
_LONGEST = 80


def title_columns(data: Dataset) -> tuple[str, ...]:
    """The columns of the items table that make a title, in order; none where only the id is left."""
    kinds = data.items.schema()
    texts = [name for name in data.items.columns if name != "item_id" and kinds[name].is_string()]
    named = called_titles(texts)
    if named:
        return named[:1]
    if not texts:
        return ()
    rows = data.engine.frame(data.items.count().as_table())[0, 0]
    telling: dict[str, float] = {}
    for name in texts:
        values = data.items.filter(data.items[name].notnull()).group_by(name).aggregate(items=ibis._.count())
        letters = values.aggregate(
            filled=values["items"].sum(), average=values[name].length().mean(), all=values[name].length().sum()
        )
        filled, average, all_letters = data.engine.frame(letters).row(0)
        if filled and 2 * filled >= rows and average <= _MOST_LETTERS:
            telling[name] = all_letters
    return tuple(sorted(telling, key=lambda name: -telling[name])[:2])


def called_titles(names: Sequence[str]) -> tuple[str, ...]:
    """Of the names of columns those that call a title a title, the likeliest first.

    >>> called_titles(["about", "topicName", "Title"])
    ('Title', 'topicName')
    """
    return tuple(name for called in _CALLED for name in names if _plain(name) in {kind + called for kind in _KINDS})


def titles(data: Dataset, items: pl.Series) -> dict[int, str]:
    """A title for each of some dense `items`: only their rows leave the engine. Long ones end in dots."""
    columns = title_columns(data)
    wanted = data.items.filter(data.items.item.isin([int(item) for item in items.unique()]))
    found = data.engine.frame(wanted.select("item", *columns)) if columns else pl.DataFrame()
    told = {row[0]: BETWEEN.join(part.strip() for part in row[1:] if part and part.strip()) for row in found.rows()}
    ids = dict(zip(items, data.item_ids.originals(items), strict=True))
    return {item: _short(told.get(item) or str(ids[item])) for item in ids}


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _short(title: str) -> str:
    return title if len(title) <= _LONGEST else title[: _LONGEST - 3].rstrip() + "..."
