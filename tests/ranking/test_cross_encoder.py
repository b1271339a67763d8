"""CrossEncoder: the best of each list read again, by a network of our own and by a transformer of a directory."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import shortlist as sl
from encoders import tiny
from shortlist.dataset.dataset import Dataset
from shortlist.models.pretrained import Pretrained
from shortlist.models.text_encoders import NGrams
from shortlist.nn.pairs import TermPairs
from shortlist.ranking import cross_encoder, logistic, pair_encoders
from shortlist.ranking.cross_encoder import CrossEncoder, FittedCrossEncoder
from shortlist.seeds import Seeds
from shortlist.training.plan import Training

OURS = NGrams(factors=16, buckets=2048)
PLAN = Training(epochs=8, batch_size=64, learning_rate=0.01, weight_decay=0.0, epsilon=1e-8)
THEMES = ("apple", "brick", "candle", "donkey", "ember")
PARTNERS = ("zinc", "yolk", "xylem", "whisk", "vowel")
NOISE = ("fjord", "garnet", "hazel", "ivory", "jungle")


@pytest.fixture(scope="module")
def world() -> tuple[Dataset, pl.DataFrame]:
    """A user's theme and an item's partner of it belong together, and no term tells; the ranker's score is a coin that
    leans a little towards hits.
    """
    random = np.random.default_rng(5)
    theme_U, theme_I = random.integers(0, 5, 160), random.integers(0, 5, 60)
    noise = [random.choice(NOISE, count) for count in (160, 60)]
    titles = [f"{THEMES[theme_U[row]]} {noise[0][row]}" for row in range(160)]
    users = pl.DataFrame({"user_id": range(160), "title": titles})
    titles = [f"{noise[1][row]} {PARTNERS[theme_I[row]]}" for row in range(60)]
    items = pl.DataFrame({"item_id": range(60), "title": titles})
    drawn = [(user, item) for user in range(160) for item in random.permutation(60)[:12]]
    scored = pl.DataFrame(drawn, schema={"user": pl.Int32, "item": pl.Int32}, orient="row")
    hit = (theme_U[scored["user"]] == theme_I[scored["item"]]).astype(int)
    lean = random.normal(size=scored.height) + 0.7 * hit
    scored = scored.with_columns(hit=hit, score=lean, list=pl.col("user").cast(pl.Int64), part=pl.col("user") % 3)
    return Dataset.read(pl.DataFrame({"user_id": range(160), "item_id": np.arange(160) % 60}), items, users), scored


@pytest.fixture(scope="module")
def fitted(world: tuple[Dataset, pl.DataFrame]) -> tuple[FittedCrossEncoder, pl.DataFrame]:
    recipe = CrossEncoder(encoder=OURS, best=8, training=PLAN)
    return recipe.fit(*world, Seeds(3))


def test_what_only_both_texts_tell_is_learnt(
    fitted: tuple[FittedCrossEncoder, pl.DataFrame], world: tuple[Dataset, pl.DataFrame]
) -> None:
    model, scored = fitted
    assert model.losses["by both"] < model.losses["by the score"] - 0.05
    assert model.both[1] > 0.2
    assert scored.select("list", "user", "item", "hit").equals(world[1].select("list", "user", "item", "hit"))
    # What a list scores that nothing was learnt from is what it is likely to be: chances come to the hits.
    chance = logistic.probability(scored["score"].to_numpy())
    assert chance.mean() == pytest.approx(scored["hit"].mean(), abs=0.02)


def test_what_is_weighed_was_told_by_who_had_not_learnt_it(
    world: tuple[Dataset, pl.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    data, scored = world
    told: list[np.ndarray] = []
    weighed = cross_encoder._weighed

    def seen(*given: Any) -> Any:
        told.append(given[-1])
        return weighed(*given)

    monkeypatch.setattr(cross_encoder, "_weighed", seen)
    recipe = CrossEncoder(encoder=OURS, best=12, training=PLAN)
    recipe.fit(data, scored, Seeds(3))
    even = pl.col("part") % 2 == 0
    recipe.fit(data, scored.with_columns(hit=pl.when(even).then(1 - pl.col("hit")).otherwise("hit")), Seeds(3))
    of_even = scored.select(even).to_series().to_numpy()
    assert told[0][of_even] == pytest.approx(told[1][of_even], abs=1e-6)
    assert np.abs(told[0][~of_even] - told[1][~of_even]).mean() > 0.1


def test_only_the_best_are_read_again_and_all_compare(
    fitted: tuple[FittedCrossEncoder, pl.DataFrame], world: tuple[Dataset, pl.DataFrame]
) -> None:
    model, scored = fitted[0], world[1]
    rows = scored.select("user", "item", "score", kept=pl.lit(1))
    told = model.rescored(rows)
    assert told.drop("score").equals(rows.drop("score"))
    place = rows.select(pl.col("score").rank("ordinal", descending=True).over("user")).to_series()
    rest = (place > 8).to_numpy()
    assert rest.any()
    score = rows["score"].to_numpy()
    assert told["score"].to_numpy()[rest] == pytest.approx(model.rest[0] * score[rest] + model.rest[1])
    some = rows.filter(pl.Series(~rest))
    texts = [some[kind].to_list() for kind in ("user", "item")]
    first, second = (
        pl.Series([table["text"][number] for number in numbers])
        for table, numbers in zip((model.texts.users, model.texts.items), texts, strict=True)
    )
    slow = model.both[0] * some["score"].to_numpy() + model.both[1] * model.encoder.log_odds(first, second)
    assert told["score"].to_numpy()[~rest] == pytest.approx(slow + model.both[2], abs=1e-6)
    assert "read again" in str(model)


def test_the_network_of_terms_says_what_the_formula_says() -> None:
    opened = pair_encoders.opened(OURS)
    first, second = pl.Series(["apple pie", "apple pie", "", "brick"]), pl.Series(["apple", "wall", "wall", ""])
    rows = opened.read(first, second)
    net = opened.network(rows, 7)
    found = pair_encoders.log_odds(net, rows)
    assert isinstance(net, TermPairs)
    vectors = net.weight.detach().numpy()
    for place, (one, other) in enumerate(zip(first, second, strict=True)):
        bags = [
            opened_bag.toarray()[0]
            for opened_bag in (
                OURS.read([(pl.Series([text]), 1.0)], np.zeros(1, np.int64), "user").matrix for text in (one, other)
            )
        ]
        summed = [bags[0] @ vectors, bags[1] @ vectors, (bags[0] * bags[1]) @ vectors]
        lengths = [max(float(np.linalg.norm(vector)), 1e-12) for vector in summed]
        product = (summed[0] / lengths[0]) * (summed[1] / lengths[1])
        overlap = np.linalg.norm(summed[2]) / np.sqrt(
            max(float(np.linalg.norm(summed[0]) * np.linalg.norm(summed[1])), 1e-6)
        )
        seen = np.concatenate([product * 4, summed[2] / lengths[2], [product.sum(), overlap]])
        hidden = np.maximum(net.hidden.weight.detach().numpy() @ seen + net.hidden.bias.detach().numpy(), 0)
        slow = float(net.out.weight.detach().numpy()[0] @ hidden + net.out.bias.detach().numpy()[0])
        assert found[place] == pytest.approx(slow, abs=1e-4)
    kept = opened.fitted(net)
    assert kept.log_odds(first, second) == pytest.approx(found, abs=1e-6)
    assert kept.log_odds(first[:0], second[:0]).shape == (0,)


def test_a_transformer_reads_pairs_as_its_library_does(tmp_path: Path) -> None:
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        BertConfig,
        BertForSequenceClassification,
    )

    shutil.copytree(tiny(), tmp_path / "pairs")
    config = BertConfig.from_pretrained(tiny(), num_labels=1)
    torch.manual_seed(2)
    BertForSequenceClassification(config).save_pretrained(tmp_path / "pairs")
    recipe = Pretrained(folder=str(tmp_path / "pairs"), tokens=12, precision="32", at_once=2)
    opened = pair_encoders.opened(recipe)
    first, second = pl.Series(["a b c", "z", "q r s t u v w x y z"]), pl.Series(["b", "a a a a", "m n o p q r s t"])
    found = opened.fitted(opened.network(opened.read(first, second), 0)).log_odds(first, second)
    inner = AutoModelForSequenceClassification.from_pretrained(tmp_path / "pairs").eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "pairs")
    for place, pair in enumerate(zip(first, second, strict=True)):
        told = tokenizer(*pair, truncation="longest_first", max_length=12, return_tensors="pt")
        with torch.inference_mode():
            assert found[place] == pytest.approx(float(inner(**told).logits[0, 0]), abs=1e-5)


def test_a_transformer_learns_pairs_and_is_kept(world: tuple[Dataset, pl.DataFrame], tmp_path: Path) -> None:
    data, scored = world
    plan = Training(epochs=2, batch_size=32, learning_rate=1e-3, weight_decay=0.0, epsilon=1e-8)
    recipe = CrossEncoder(encoder=Pretrained(folder=str(tiny()), fine_tune=True, tokens=32), best=4, training=plan)
    model, told = recipe.fit(data, scored, Seeds(1))
    again, twice = recipe.fit(data, scored, Seeds(1))
    assert told.equals(twice)
    rows = scored.select("user", "item", "score")
    assert model.rescored(rows).equals(again.rescored(rows))
    other = recipe.fit(data, scored, Seeds(2))[0]
    assert not model.rescored(rows).equals(other.rescored(rows))


def test_an_encoder_of_texts_knows_nothing_of_pairs_until_it_learns() -> None:
    with pytest.raises(sl.ConfigError, match="has learnt nothing of pairs"):
        pair_encoders.opened(Pretrained(folder=str(tiny())))
    with pytest.raises(ValueError, match="the encoder is taken as it is"):
        CrossEncoder(encoder=Pretrained(folder="none"), training=PLAN)
    with pytest.raises(sl.ConfigError, match="is no directory"):
        pair_encoders.opened(Pretrained(folder="no such place"))


def test_code_of_a_directory_is_not_run(tmp_path: Path) -> None:
    shutil.copytree(tiny(), tmp_path / "odd")
    config = json.loads((tmp_path / "odd/config.json").read_text())
    config["auto_map"] = {"AutoConfig": "evil.Config", "AutoModelForSequenceClassification": "evil.Model"}
    config["model_type"] = "evil"
    (tmp_path / "odd/config.json").write_text(json.dumps(config))
    (tmp_path / "odd/evil.py").write_text("raise SystemExit('code was run')\n")
    with pytest.raises(sl.ConfigError, match="cannot be read as a transformer"):
        pair_encoders.opened(Pretrained(folder=str(tmp_path / "odd")))


def test_lists_without_hits_teach_nothing(world: tuple[Dataset, pl.DataFrame]) -> None:
    data, scored = world
    with pytest.raises(sl.ConfigError, match="needs hits and misses"):
        CrossEncoder(encoder=OURS).fit(data, scored.with_columns(hit=pl.lit(0)), Seeds(1))


def test_each_training_is_kept_in_a_part_of_the_folder(
    world: tuple[Dataset, pl.DataFrame], fitted: tuple[FittedCrossEncoder, pl.DataFrame], tmp_path: Path
) -> None:
    kept = fitted[0].recipe.model_copy(update={"training": PLAN.model_copy(update={"folder": str(tmp_path)})})
    assert kept.fit(*world, Seeds(3))[1].equals(fitted[1])
    assert {place.name for place in tmp_path.iterdir()} == {"part-1", "part-2", "whole"}
    again = kept.fit(*world, Seeds(3))[1]  # what is ended is not trained again
    assert again.equals(fitted[1])


def test_later_texts_are_read_as_those_that_were_there(fitted: tuple[FittedCrossEncoder, pl.DataFrame]) -> None:
    model = fitted[0]
    longer = model.with_users(pl.DataFrame({"user_id": [999], "title": ["ivory jungle apple"]}))
    longer = longer.with_items(pl.DataFrame({"item_id": [999], "title": ["brick brick apple"]}))
    assert longer.texts.users["text"][-1] == "ivory jungle apple"
    assert longer.texts.items["text"][-1] == "brick brick apple"
    rows = pl.DataFrame({"user": [0, 120], "item": [1, 60], "score": [0.5, 0.5]})
    known = model.rescored(rows.head(1))["score"][0]
    assert longer.rescored(rows)["score"][0] == pytest.approx(known, abs=1e-6)
