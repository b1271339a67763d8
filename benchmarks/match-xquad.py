"""Not a claim but a check on languages: the paragraph of a question, among 240, in 12 languages.

    python benchmarks/match-xquad.py

xquad: 1,190 questions on 240 paragraphs, the same in every language. `TextSearch` learns nothing. `TextMatch` learns
from the questions of four languages (en, de, ru, zh) on three fifths of the articles; judged are the questions on the
other articles, among all 240 paragraphs: of those four languages, and of the eight that were not learnt from. Terms are
shared by all languages (`within=()`), so what is learnt of one may help another of the same script. Across: the
question in one of the eleven other languages, the paragraph in English. multilingual-e5-small, in four bits
(`_encoders.py`), is asked as it is; with a projection of its vectors learnt from the same questions of four languages;
and fine-tuned on them: one epoch in batches of one language, the first 256 tokens of a text. Gains are over it as it
is, paired by question.

Intervals: 1.96 standard errors over questions; a question in several languages counts as several.
"""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import _encoders
import _result
import shortlist as sl
from shortlist.models.retrieval import Request

LEARNT = ("en", "de", "ru", "zh")
TEXTS: dict[str, Any] = {
    "users": sl.Text(columns=("question",)), "items": sl.Text(columns=("text",)), "within": (),
}  # fmt: skip
E5 = "multilingual-e5-small"
UNTRAINED, TUNED, PROJECTED = f"{E5}, not trained", f"{E5}, four languages", f"{E5}, projection, four languages"
PLAN: dict[str, Any] = {
    "epochs": 1, "batch_size": 32, "learning_rate": 3e-5, "weight_decay": 0.01, "warm_up": 0.1, "epsilon": 1e-8,
    "precision": "bf16",
}  # fmt: skip
OURS = sl.NGrams(factors=128, characters=4_000)


def main() -> None:
    """Measure and write the result."""
    questions, passages = tables()
    articles = passages["article"].unique().sort()
    held = articles.gather(np.random.default_rng(0).permutation(len(articles))[: 2 * len(articles) // 5])
    article = passages.filter(language="en").select("passage_id", "article")
    questions = questions.join(article, on="passage_id", how="left", maintain_order="left")
    judged = questions["article"].is_in(held.implode())
    learnt = questions.filter(pl.col("language").is_in(LEARNT) & ~judged)
    links = questions.select("user_id", item_id=pl.concat_str("passage_id", "language", separator=" "))
    version, rows = f"shortlist {_result.version()}", []
    before: dict[str, np.ndarray] = {}
    for name, model in models().items():
        some = links.filter(pl.col("user_id").is_in(learnt["user_id"].implode()))
        data = sl.Dataset.read(some, passages, questions.drop("passage_id", "answer", "article"))
        fitted = model.fit(data.before(0) if "not trained" in name else data)
        if name in (TUNED, PROJECTED):  # a question may be asked of paragraphs in another language
            fitted = replace(fitted, user_kinds=0 * fitted.user_kinds, item_kinds=0 * fitted.item_kinds)
        for split, asked, into in (
            ("within, learnt", questions.filter(judged & pl.col("language").is_in(LEARNT)), None),
            ("within, others", questions.filter(judged & ~pl.col("language").is_in(LEARNT)), None),
            ("across to en", questions.filter(judged & (pl.col("language") != "en")), "en"),
        ):
            hits = places(fitted, data, asked, passages, into)
            for k in (1, 10):
                each = (hits < k).astype(float)
                more = {"split": split, "questions": len(each)} | _result.interval(each)
                if name == UNTRAINED:
                    before[f"{split} {k}"] = each
                if name in (TUNED, PROJECTED):
                    more |= _result.gained(each - before[f"{split} {k}"])
                rows.append(_result.row("xquad", name, version, f"recall@{k}", float(each.mean()), **more))
            print(name, split, [float((hits < k).mean()) for k in (1, 10)], file=sys.stderr, flush=True)
    figures = {f"{row['model']}: {row['split']}: {row['metric']}": row["value"] for row in rows}
    _result.write("match-xquad", figures, rows)


def models() -> dict[str, Any]:
    """What is asked, by its name."""
    folder = str(_encoders.e5())
    return {
        "TextSearch, TF-IDF": sl.TextSearch(**TEXTS, characters=4_000),
        "TextSearch, BM25": sl.TextSearch(**TEXTS, characters=4_000, weighting="bm25"),
        "TextMatch, not trained": sl.TextMatch(**TEXTS, encoder=OURS),
        "TextMatch, four languages": sl.TextMatch(**TEXTS, encoder=OURS),
        UNTRAINED: sl.TextMatch(**TEXTS, encoder=sl.Pretrained(folder=folder, tokens=512)),
        PROJECTED: sl.TextMatch(
            **TEXTS | {"within": ("language",)}, encoder=sl.Pretrained(folder=folder, tokens=512), projection=True
        ),
        TUNED: sl.TextMatch(
            **TEXTS | {"within": ("language",)},
            encoder=sl.Pretrained(folder=folder, tokens=256, fine_tune=True),
            temperature=0.02,
            training=sl.Training(**PLAN),
        ),
    }


def tables() -> tuple[pl.DataFrame, pl.DataFrame]:
    """The questions as users and the paragraphs as items, each of its language."""
    folder = Path(os.environ.get("SHORTLIST_DATA", Path(__file__).parents[2] / "shared/data")) / "xquad"
    questions, passages = (pl.read_parquet(folder / f"{name}.parquet") for name in ("questions", "passages"))
    questions = questions.with_columns(user_id=pl.concat_str("question_id", "language", separator=" "))
    passages = passages.with_columns(item_id=pl.concat_str("passage_id", "language", separator=" "))
    return questions.drop("question_id"), passages


def places(fitted: Any, data: sl.Dataset, asked: pl.DataFrame, passages: pl.DataFrame, into: str | None) -> np.ndarray:
    """At which place (from 0) of the list in a language, its own where none is named, each question's paragraph is."""
    found = []
    for (language,), part in asked.group_by("language", maintain_order=True):
        among = passages.filter(language=into or language)["item_id"]
        users = data.user_ids.numbers(part["user_id"])
        lists = fitted.retrieve(Request(users, 240, items=data.item_ids.numbers(among)))
        wanted = part.select(pl.concat_str("passage_id", pl.lit(into or language), separator=" ")).to_series()
        true = pl.DataFrame({"user": users, "item": data.item_ids.numbers(wanted)})
        ranks = true.join(lists, on=["user", "item"], how="left", maintain_order="left")["rank"]
        found.append(ranks.fill_null(10_000).to_numpy() - 1)
    return np.concatenate(found)


if __name__ == "__main__":
    main()
