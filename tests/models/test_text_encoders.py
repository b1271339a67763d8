"""Encoders that somebody trained: read from a directory, cached, fine-tuned, stored."""

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import shortlist as sl
from encoders import tiny
from shortlist import store
from shortlist.errors import ConfigError
from shortlist.models import KINDS
from shortlist.models.between_texts import joined
from shortlist.models.pretrained import Pretrained
from shortlist.models.text_encoders import NGrams
from shortlist.models.text_match import FittedTextMatch, TextMatch
from shortlist.tables import samples

TRAINING = sl.Training(epochs=10, batch_size=64, learning_rate=3e-3, weight_decay=0.0, epsilon=1e-8)
TEXTS = ["cells", "a longer text of cells and membranes", "", "leaf", "the root of a plant"]


def encoder(**told: object) -> Pretrained:
    return Pretrained(**{"folder": str(tiny()), "cache": "none", "precision": "32"} | told)


def vectors(recipe: Pretrained, texts: list[str] = TEXTS) -> np.ndarray:
    opened = recipe.opened()
    rows = opened.read([(pl.Series(texts), 1.0)], np.zeros(len(texts), np.int64), "user")
    return opened.encode(rows)


@pytest.fixture(scope="module")
def data() -> sl.Dataset:
    made = samples.curriculum(topics=60, contents=150, pairs=250, seed=5)
    return sl.Dataset.read(made.events, made.items, made.users)


@pytest.fixture(scope="module")
def tuned(data: sl.Dataset) -> FittedTextMatch:
    return TextMatch(encoder=encoder(fine_tune=True, tokens=24), near=1, training=TRAINING).fit(data)


def test_vectors_are_those_of_sentence_transformers():
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(tiny()), device="cpu")
    theirs = model.encode(["q " + text for text in TEXTS], normalize_embeddings=True)
    mine = vectors(encoder(at_once=2))
    there = [0, 1, 3, 4]
    assert mine[there] == pytest.approx(theirs[there], abs=1e-5)
    assert not mine[2].any()  # a text of nothing has no vector
    assert not vectors(encoder(), ["", ""]).any()
    assert np.linalg.norm(vectors(encoder(precision="bf16"))[there] - theirs[there], axis=1).max() < 0.1


def test_a_table_of_model2vec_is_read_too(tmp_path: Path):
    import torch
    from safetensors.torch import save_file

    shutil.copy(tiny() / "tokenizer.json", tmp_path)
    table = torch.randn(56, 8)
    save_file({"embeddings": table}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"model_type": "model2vec"}')
    found = vectors(encoder(folder=str(tmp_path)), ["ab", ""])
    names = ["a", "##b"]  # the tokenizer splits into letters, and no marks are put around
    from tokenizers import Tokenizer

    vocabulary = Tokenizer.from_file(str(tmp_path / "tokenizer.json")).get_vocab()
    mean = table[[vocabulary[name] for name in names]].mean(dim=0)
    assert found[0] == pytest.approx((mean / mean.norm()).numpy(), abs=1e-6)
    assert not found[1].any()
    assert vectors(encoder(folder=str(tmp_path), recompute="layers"), ["ab"])[0] == pytest.approx(found[0])
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(ConfigError, match=r"tokenizer\.json is not there"):
        encoder(folder=str(tmp_path)).opened()


def test_what_holds_no_encoder_is_told(tmp_path: Path):
    with pytest.raises(ConfigError, match="no directory"):
        encoder(folder=str(tmp_path / "absent")).opened()
    with pytest.raises(ConfigError, match=r"neither modules\.json nor"):
        encoder(folder=str(tmp_path)).opened()
    for name, file, content, told in (
        ("foreign", "modules.json", '[{"type": "os.path.Transformer", "path": ""}]', "names 'os.path.Transformer'"),
        ("damaged", "modules.json", "{}}", "does not list the parts"),
        ("torn", "model.safetensors", "torn", "cannot be read as an encoder"),
        ("unknown", "config.json", '{"model_type": "none such"}', "cannot be read as an encoder"),
    ):
        shutil.copytree(tiny(), tmp_path / name)
        (tmp_path / name / file).write_text(content)
        with pytest.raises(ConfigError, match=told):
            encoder(folder=str(tmp_path / name)).opened()
    shutil.copytree(tiny(), tmp_path / "pickled")
    (tmp_path / "pickled/model.safetensors").rename(tmp_path / "pickled/pytorch_model.bin")
    with pytest.raises(ConfigError, match="is a pickle"):
        encoder(folder=str(tmp_path / "pickled")).opened()


def test_what_is_for_training_needs_an_encoder_that_learns():
    with pytest.raises(ValueError, match="training is for training, and the encoder is taken as it is"):
        TextMatch(encoder=encoder(), training=TRAINING)
    data = sl.Dataset.read(samples.shop(users=50, items=20, days=30, seed=1).events)
    with pytest.raises(ConfigError, match="fine_tune=True"):
        sl.memory_report(TextMatch(encoder=encoder()), data)


def test_vectors_are_kept_by_what_texts_are(tmp_path: Path):
    first = vectors(encoder(cache=str(tmp_path)))
    parts = list(tmp_path.rglob("*.vectors"))
    assert len(parts) == 1
    more = vectors(encoder(cache=str(tmp_path)), [*TEXTS[::-1], "another"])
    assert np.array_equal(more[:5], first[::-1])
    assert len(list(tmp_path.rglob("*.vectors"))) == 2  # one more, of the one text that was new
    parts[0].write_bytes(parts[0].read_bytes()[:-3])  # torn: made again
    assert vectors(encoder(cache=str(tmp_path))) == pytest.approx(first, abs=1e-6)


def test_many_parts_become_one(tmp_path: Path):
    texts = [letter * 3 for letter in "abcdefghijklmnopqr"]
    each = np.vstack([vectors(encoder(cache=str(tmp_path)), [text]) for text in texts])
    assert len(list(tmp_path.rglob("*.vectors"))) < 5
    assert np.array_equal(vectors(encoder(cache=str(tmp_path)), texts), each)


def test_fine_tuning_lowers_the_loss_and_is_kept(tuned: FittedTextMatch, data: sl.Dataset, tmp_path: Path):
    start = TextMatch(encoder=encoder(tokens=24)).fit(data)
    assert start.losses.is_empty()
    epoch = len(tuned.losses) // TRAINING.epochs
    assert tuned.losses["loss"].tail(epoch).mean() < tuned.losses["loss"].head(epoch).mean() - 0.1
    met = data.engine.frame(data.events.select("user", "item").distinct())

    def own(fitted: FittedTextMatch) -> float:
        """How much nearer a user is to its own items than to all others."""
        scores = fitted.user_factors @ fitted.item_factors.T
        return float(scores[met["user"], met["item"]].mean() - scores.mean())

    assert own(tuned) > own(start) + 0.05
    users = data.engine.frame(data.users.order_by("user")).drop("user").head(3).with_columns(user_id=pl.lit("later"))
    for name, fitted in (("tuned", tuned), ("start", start)):
        again = store.read(tmp_path / name, store.write(tmp_path / name, fitted), KINDS)
        for one in (fitted, again):
            assert one.with_users(users).user_factors[-3:] == pytest.approx(fitted.user_factors[:3], abs=1e-5)


@pytest.mark.parametrize("recompute", ["layers", "texts"])
def test_what_is_computed_again_gives_the_same_weights(recompute: str, tuned: FittedTextMatch, data: sl.Dataset):
    told = encoder(fine_tune=True, tokens=24, recompute=recompute)
    again = TextMatch(encoder=told, near=1, training=TRAINING).fit(data)
    assert again.losses["loss"].to_list() == pytest.approx(tuned.losses["loss"].to_list(), rel=1e-3)
    assert again.user_factors == pytest.approx(tuned.user_factors, abs=2e-2)


def test_a_report_counts_what_is_held():
    data = sl.Dataset.read(samples.shop(users=50, items=20, days=30, seed=1).events)
    plan = sl.Training(batch_size=256)
    of = {
        name: sl.memory_report(TextMatch(encoder=encoder(fine_tune=True, recompute=name), training=plan), data).of()
        for name in ("nothing", "layers", "texts")
    }
    assert of["nothing"]["activations"] > 2 * of["layers"]["activations"] > 2 * of["texts"]["activations"]
    weights = sum(np.prod(shape) for shape in _shapes()) + 16 * 16 + 16  # of a pooler that is in no file
    assert of["texts"]["weights"] == 4 * weights
    assert sl.memory_report(TextMatch(encoder=NGrams(factors=8, buckets=100)), data).of()["weights"] == 3_200


def _shapes() -> list[tuple[int, ...]]:
    from safetensors import safe_open

    with safe_open(tiny() / "model.safetensors", framework="np") as opened:
        return [tuple(opened.get_slice(name).get_shape()) for name in opened.keys()]  # noqa: SIM118


def test_fields_are_joined_in_their_order():
    fields = [(pl.Series(["Cells", "", None]), 1.0), (pl.Series([" in biology ", "x", None]), 0.5)]
    assert joined(fields).to_list() == ["Cells. in biology", "x", ""]
