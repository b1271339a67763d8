"""TextSearch against its formulas, one pair at a time."""

import math
from collections import Counter
from itertools import chain

import numpy as np
import polars as pl
import pytest

from shortlist.config import read_toml
from shortlist.dataset.dataset import Dataset
from shortlist.dataset.texts import REST, Text
from shortlist.errors import ConfigError
from shortlist.models.retrieval import Request
from shortlist.models.text_search import B, FittedTextSearch, K, TextSearch
from shortlist.pipeline import Pipeline, load

TOPICS = pl.DataFrame(
    {
        "user_id": ["root", "cells", "mitosis", "zellen", "empty"],
        "parent_id": [None, "root", "cells", "root", None],
        "title": ["Biology of life", "The cell", "Mitosis and meiosis", "Die Zelle", None],
        "language": ["en", "en", "en", "de", "en"],
    }
)
CONTENTS = pl.DataFrame(
    {
        "item_id": ["film", "cell book", "film der zelle", "noise", "blank"],
        "title": ["A film of mitosis in a cell", "The cell: a book", "Die Zelle im Film", "Roman history", None],
        "about": ["cells that divide", None, "Zellen teilen sich", "all of the cell blocks", None],
        "language": ["en", "en", "de", "en", "en"],
    }
)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return Dataset.read(pl.DataFrame({"user_id": ["cells"], "item_id": ["film"]}), CONTENTS, TOPICS)


def runs(text: str | None, share: float, language: str) -> Counter[tuple[str, str]]:
    """The terms of a text and how often each comes, a term with its language."""
    words = "".join(c if c.isalpha() else " " for c in (text or "").lower()).split()
    padded = f" {' '.join(words)} " if words else ""
    found: Counter[tuple[str, str]] = Counter()
    for n in (2, 3, 4):
        for at in range(len(padded) - n + 1):
            found[language, padded[at : at + n]] += share  # type: ignore[assignment]
    return found


def of_topic(topic: str) -> Counter[tuple[str, str]]:
    rows = {row["user_id"]: row for row in TOPICS.to_dicts()}
    row, above, crumb = rows[topic], rows[topic]["parent_id"], []
    while above is not None:
        crumb.append(rows[above]["title"])
        above = rows[above]["parent_id"]
    return runs(row["title"], 1, row["language"]) + runs(" ".join(crumb), REST, row["language"])


def of_content(content: str) -> Counter[tuple[str, str]]:
    row = next(row for row in CONTENTS.to_dicts() if row["item_id"] == content)
    return runs(row["title"], 1, row["language"]) + runs(row["about"], REST, row["language"])


def slowly(topic: str, content: str, weighting: str) -> float:
    asked, said = of_topic(topic), of_content(content)
    language = CONTENTS.filter(item_id=content)["language"].item()
    texts = [of_content(other) for other in CONTENTS.filter(language=language)["item_id"]]
    everything = [of_content(other) for other in CONTENTS["item_id"]]

    def rarity(term: tuple[str, str]) -> float:
        n, met = len(texts), sum(term in text for text in everything)
        if weighting == "bm25":
            return math.log(1 + (n - met + 0.5) / (met + 0.5))
        return 1 + math.log((1 + n) / (1 + met))

    if weighting == "bm25":
        mean = sum(text.total() for text in texts) / len(texts)
        shorter = K * (1 - B + B * said.total() / mean)
        return sum(asked[t] * rarity(t) * said[t] * (1 + K) / (said[t] + shorter) for t in asked.keys() & said.keys())
    known = set(chain.from_iterable(everything))
    x, y = ({t: math.log1p(n) * rarity(t) for t, n in text.items() if t in known} for text in (asked, said))
    lengths = [math.sqrt(sum(v * v for v in one.values())) for one in (x, y)]
    return sum(x[t] * y[t] for t in x.keys() & y.keys()) / (lengths[0] * lengths[1])


@pytest.mark.parametrize("weighting", ["tfidf", "bm25"])
def test_scores_are_those_of_the_formula(data: Dataset, weighting: str) -> None:
    fitted = TextSearch(weighting=weighting).fit(data)  # type: ignore[arg-type]
    everybody = np.arange(len(TOPICS), dtype=np.int32)
    found = fitted.retrieve(Request(everybody, 10))
    scores = {(data.user_ids.ids[user], data.item_ids.ids[item]): score for user, item, score, _ in found.iter_rows()}
    for topic in TOPICS["user_id"]:
        for content in CONTENTS["item_id"]:
            if topic == "empty" or content == "blank":
                assert (topic, content) not in scores
                continue
            wanted = slowly(topic, content, weighting)
            assert scores.get((topic, content), 0.0) == pytest.approx(wanted, abs=1e-5), (topic, content)
    assert scores["cells", "cell book"] > scores["cells", "noise"] > 0


def test_languages_meet_only_where_nothing_keeps_them_apart(data: Dataset) -> None:
    asked = data.user_ids.numbers(["zellen"])
    german = TextSearch().fit(data).retrieve(Request(asked, 10))
    assert data.item_ids.originals(german["item"]).to_list() == ["film der zelle"]
    assert TextSearch(within=()).fit(data).retrieve(Request(asked, 10)).height > 1


def test_what_comes_later_is_answered_as_what_was_there(data: Dataset) -> None:
    recipe = Pipeline(retrievers=(TextSearch(),), filter_seen=False)
    whole = recipe.fit(data)
    some = Dataset.read(
        pl.DataFrame({"user_id": ["cells"], "item_id": ["film"]}),
        CONTENTS,
        TOPICS.filter(pl.col("user_id") != "mitosis"),
    )
    later = recipe.fit(some).with_users(TOPICS.filter(pl.col("user_id").is_in(["mitosis", "cells"])))
    assert later.recommend(["mitosis"], 5).equals(whole.recommend(["mitosis"], 5))
    # The child of a topic that came later itself.
    child = pl.DataFrame({"user_id": ["phases"], "parent_id": ["mitosis"], "title": ["Phases"], "language": ["en"]})
    assert later.with_users(child).recommend(["phases"], 1)["item_id"].to_list() == ["film"]
    assert later.recommend(["phases"], 1).is_empty()


def test_new_items_are_found_by_their_words(data: Dataset, tmp_path: object) -> None:
    fitted = Pipeline(retrievers=(TextSearch(),), filter_seen=False).fit(data)
    later = pl.DataFrame({"item_id": ["new"], "title": ["Mitosis and meiosis"], "language": ["en"]})
    longer = fitted.with_items(later)
    assert longer.recommend(["mitosis"], 1)["item_id"].to_list() == ["new"]
    longer.save(f"{tmp_path}/run")
    assert load(f"{tmp_path}/run").recommend(["mitosis"], 5).equals(longer.recommend(["mitosis"], 5))


def test_who_is_not_known_is_like_nobody(data: Dataset) -> None:
    fitted = TextSearch().fit(data)
    beyond = np.array([-1, 1, len(TOPICS), len(TOPICS) + 9], dtype=np.int32)
    assert set(fitted.similar_users(beyond, 3)["user"]) <= {1}
    assert set(fitted.similar_items(beyond, 3)["item"]) == {1}


def test_sketched_vectors_keep_the_products_of_weights_about(data: Dataset) -> None:
    fitted = TextSearch().fit(data)
    assert isinstance(fitted, FittedTextSearch)
    exact = (fitted.weights.T @ fitted.weights).todense()
    about = fitted.item_vectors @ fitted.item_vectors.T
    blank = data.item_ids.numbers(["blank"])[0]
    assert not about[blank].any()
    # The products of unlike terms in 256 numbers: their mean square is about 1 / 256.
    assert np.abs(np.delete(np.asarray(exact) - about, blank, axis=0)).max() < 0.3


def test_terms_need_a_length(tmp_path: object) -> None:
    path = f"{tmp_path}/recipe.toml"
    with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123 - a path of text
        file.write("shortest = 5\n")
    with pytest.raises(ConfigError, match="the shortest term has 5 characters, the longest only 4"):
        read_toml(TextSearch, path)
    assert TextSearch(users=Text(columns=("title",))).users.columns == ("title",)


def test_more_items_than_terms_are_all_answered() -> None:
    items = pl.DataFrame({"item_id": range(2_000), "title": ["a"] * 2_000})
    users = pl.DataFrame({"user_id": ["u"], "title": ["a"]})
    data = Dataset.read(pl.DataFrame({"user_id": ["u"], "item_id": [0]}), items, users)
    fitted = TextSearch().fit(data)
    assert len(fitted.terms) < 10
    asked = data.user_ids.numbers(["u"])
    assert fitted.retrieve(Request(asked, 1_500))["item"].to_list() == list(range(1_500))
    assert fitted.retrieve(Request(asked, 5, items=np.array([1_990, 7], np.int32)))["item"].to_list() == [7, 1_990]


def test_neighbours_bring_what_users_of_like_texts_met() -> None:
    events = pl.DataFrame(
        {"user_id": ["cells", "cells", "mitosis", "zellen"], "item_id": ["film", "noise", "film", "blank"]}
    )
    data = Dataset.read(events, CONTENTS, TOPICS)
    fitted = TextSearch(neighbours=2, within=()).fit(data)
    later = fitted.with_users(
        pl.DataFrame({"user_id": ["new"], "parent_id": ["cells"], "title": ["Meiosis"], "language": ["en"]})
    )
    asked = np.arange(len(TOPICS) + 1, dtype=np.int32)
    told = later.retrieve(Request(asked, 3))
    x_UT = np.asarray(later.queries.todense(), dtype=np.float64)
    met_UI = np.zeros((len(asked), len(CONTENTS)))
    users, items = data.user_ids.numbers(events["user_id"]), data.item_ids.numbers(events["item_id"])
    met_UI[users, items] = 1
    for user in asked:
        alike = x_UT @ x_UT[user] * (met_UI.sum(axis=1) > 0)
        alike[user] = 0
        alike[np.argsort(-alike)[2:]] = 0
        scores = alike @ met_UI
        mine = told.filter(user=int(user))
        wanted = {
            int(item): pytest.approx(scores[item], rel=1e-5) for item in np.argsort(-scores)[:3] if scores[item] > 0
        }
        assert dict(mine.select("item", "score").iter_rows()) == wanted
    assert told.filter(user=int(asked[-1])).height > 0  # the later one is answered by those it is like
