"""Small made-up worlds with known answers, for docs and tests: Polars frames, the same from the same arguments.

A moment is a time in UTC; the worlds begin on 2024-01-01. Ids are text, so that nobody takes them for dense ids.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

START = datetime(2024, 1, 1, tzinfo=UTC)
"""When every world begins."""


@dataclass(frozen=True)
class Shop:
    """A made-up shop: its `events`, `items` and `users`, each a frame as a caller would hand it over."""

    events: pl.DataFrame
    items: pl.DataFrame
    users: pl.DataFrame


@dataclass(frozen=True)
class Curriculum:
    """A made-up curriculum: its pairs as `events`, contents as `items` and topics as `users`, each a frame."""

    events: pl.DataFrame
    items: pl.DataFrame
    users: pl.DataFrame


def checkerboard(users: int, items: int, *, holes: int = 0) -> pl.DataFrame:
    """Events where users of an even number meet all items of an even number, and odd ones the odd, one item a day.

    Columns `user_id`, `item_id`, `timestamp`. With `holes`, each user has not met that many of the items of their own
    colour (see `missing_squares`): whoever reads the board finds just these.
    """
    pairs = [(u, i) for u in range(users) for i in range(items) if u % 2 == i % 2]
    missing = {(u, i) for u in range(users) for i in _missing(u, items, holes)}
    met = [(u, i) for u, i in pairs if (u, i) not in missing]
    return pl.DataFrame(
        {
            "user_id": [f"u{u:03d}" for u, _ in met],
            "item_id": [f"i{i:03d}" for _, i in met],
            "timestamp": [START + timedelta(days=i, minutes=u) for u, i in met],
        },
        schema_overrides={"user_id": pl.String, "item_id": pl.String, "timestamp": pl.Datetime("us", "UTC")},
    )


def missing_squares(users: int, items: int, *, holes: int) -> pl.DataFrame:
    """The answers to `checkerboard(users, items, holes=holes)`: the `user_id` and `item_id` of every hole."""
    missing = [(u, i) for u in range(users) for i in _missing(u, items, holes)]
    return pl.DataFrame(
        {"user_id": [f"u{u:03d}" for u, _ in missing], "item_id": [f"i{i:03d}" for _, i in missing]},
        schema={"user_id": pl.String, "item_id": pl.String},
    )


def shop(users: int = 60, items: int = 40, days: int = 84, seed: int = 0, *, repeats: float = 0.6) -> Shop:
    """Purchases by people of habit, as in a grocery shop.

    Every user comes every so many days and has six staples, bought in turn: what is due next is what was bought longest
    ago. All else is popular items, those of the user's favourite type above all. Age tells nothing. `repeats` is the
    share of purchases that are staples; with 0 nobody ever buys an item twice. Events have `user_id`, `item_id`,
    `timestamp`, `weight` (1 to 3 pieces) and `price`; items have `type` and `price`, users have `age`.
    """
    random = np.random.default_rng(seed)
    types = random.integers(0, max(1, items // 8), items)
    prices = (random.integers(50, 900, items) / 100).tolist()
    popularity = 1 / np.arange(1, items + 1)
    favourites = random.integers(0, types.max() + 1, users)
    rows = []
    for user in range(users):
        taste = popularity * np.where(types == favourites[user], 6.0, 1.0)
        staples = random.choice(items, size=min(6, items), replace=False).tolist()
        period, phase = random.integers(3, 8), random.integers(0, 3)
        had: set[int] = set()
        for day in range(int(phase), days, int(period)):
            for _ in range(2):
                if random.random() < repeats:
                    item = staples.pop(0)
                    staples.append(item)
                else:
                    wanted = taste if repeats else np.where(np.isin(np.arange(items), list(had)), 0, taste)
                    if not wanted.any():
                        continue
                    item = int(random.choice(items, p=wanted / wanted.sum()))
                had.add(item)
                rows.append((user, item, START + timedelta(days=day, hours=9, minutes=user), random.integers(1, 4)))
    bought = np.array([item for _, item, _, _ in rows], dtype=np.int64)
    events = pl.DataFrame(
        {
            "user_id": [f"u{user:03d}" for user, _, _, _ in rows],
            "item_id": [f"i{item:03d}" for item in bought],
            "timestamp": [when for _, _, when, _ in rows],
            "weight": [float(pieces) for _, _, _, pieces in rows],
            "price": [prices[item] for item in bought],
        },
        schema_overrides={"timestamp": pl.Datetime("us", "UTC")},
    )
    return Shop(
        events=events,
        items=pl.DataFrame(
            {
                "item_id": [f"i{item:03d}" for item in range(items)],
                "type": [f"type {number}" for number in types],
                "price": prices,
            }
        ),
        users=pl.DataFrame(
            {
                "user_id": [f"u{user:03d}" for user in range(users)],
                "age": [("young", "grown", "old")[age] for age in random.integers(0, 3, users)],
            }
        ),
    )


def curriculum(
    topics: int = 120, contents: int = 240, pairs: int = 300, *, languages: int = 2, seed: int = 0
) -> Curriculum:
    """Trees of topics and the contents that belong there, in made-up languages; a topic says little without its parent.

    Topics have `user_id`, `parent_id`, `title` (two words), `language`; of every eight, the ones under a topic stand
    together. A content (`item_id`, `title`, `language`, `kind`) has some words of its topic and of the topic's parent,
    and some that say nothing; where there are more `pairs` than contents it belongs to a neighbour of its topic too.
    Events are `user_id`, `item_id`.
    """
    random = np.random.default_rng(seed)
    roots = max(languages, topics // 500)
    parent = np.where(np.arange(topics) < roots, -1, (np.arange(topics) - roots) // 8)
    language = np.arange(topics) % languages
    for topic in range(roots, topics):  # a parent always comes before its children
        language[topic] = language[parent[topic]]
    words = max(40, topics // 4)
    said = _zipf(random, words, (topics, 2))
    topic_titles = [[_word(of, word) for word in two] for of, two in zip(language.tolist(), said.tolist(), strict=True)]
    home = random.integers(roots, topics, contents)
    from_topic, from_parent = random.random((contents, 2)) < 0.8, random.random((contents, 2)) < 0.4
    idle = _zipf(random, words, (contents, 2))
    content_titles = []
    for content, topic in enumerate(home.tolist()):
        own, above = topic_titles[topic], topic_titles[parent[topic]]
        chosen = [
            word for word, told in zip(own + above, [*from_topic[content], *from_parent[content]], strict=True) if told
        ]
        content_titles.append(" ".join(chosen + [_word(int(language[topic]), int(word)) for word in idle[content]]))
    more = random.integers(0, contents, max(0, pairs - contents))
    neighbour = roots + parent[home[more]] * 8 + random.integers(0, 8, len(more))
    neighbour = np.where(parent[home[more]] < 0, home[more], np.clip(neighbour, roots, topics - 1))
    belongs = pl.DataFrame(
        {"user": np.concatenate([home, neighbour]), "item": np.concatenate([np.arange(contents), more])}
    ).unique(maintain_order=True)
    names = np.array([f"t{topic:06d}" for topic in range(topics)])
    return Curriculum(
        events=belongs.select(
            pl.Series("user_id", names[belongs["user"].to_numpy()]), pl.format("c{}", "item").alias("item_id")
        ),
        items=pl.DataFrame(
            {
                "item_id": [f"c{content}" for content in range(contents)],
                "title": content_titles,
                "language": [f"language {n}" for n in language[home]],
                "kind": np.array(["film", "book", "exercise"])[random.integers(0, 3, contents)],
            }
        ),
        users=pl.DataFrame(
            {
                "user_id": names,
                "parent_id": [None if above < 0 else str(names[above]) for above in parent.tolist()],
                "title": [" ".join(two) for two in topic_titles],
                "language": [f"language {n}" for n in language],
            }
        ),
    )


def _zipf(random: np.random.Generator, words: int, shape: tuple[int, int]) -> np.ndarray:
    """Words drawn so that the n-th comes about 1 / √n as often as the first."""
    share = 1 / np.sqrt(np.arange(1, words + 1))
    drawn: np.ndarray = random.choice(words, size=shape, p=share / share.sum())
    return drawn


def _word(language: int, number: int) -> str:
    """A word that only one language has: syllables for the digits of its number."""
    consonants, vowels = "bdfghjklmnprstvz", "aeiou"
    start = consonants[language % 16] + vowels[language // 16 % 5]
    rest = ""
    while number or not rest:
        rest += consonants[number % 16] + vowels[number // 16 % 5]
        number //= 80
    return start + rest


def _missing(user: int, items: int, holes: int) -> list[int]:
    """Which items of a user's own colour are holes: another run of them for each user, round the board."""
    own = list(range(user % 2, items, 2))
    return sorted({own[(user // 2 + place) % len(own)] for place in range(min(holes, len(own)))}) if own else []
