"""What engage-minilm measures, a process of its own each.

python by_ours.py quality trees|frozen|best|tuned FOLDER DRAW
python by_ours.py speed FOLDER TIMES
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import shortlist as sl

ROWS, ENCODED, TRAINED, BATCH, TOKENS = 20_000, 6_000, 3_000, 64, 128
PLANS = [
    {
        "layers": layers,
        "dropout": dropout,
        "training": sl.Training(epochs=epochs, learning_rate=rate, weight_decay=decay, warm_up=0.1, epsilon=1e-8),
    }
    for layers, dropout, epochs, rate, decay in [
        ((), 0.0, 10, 0.001, 0.5), ((), 0.0, 3, 0.003, 1.0), ((128,), 0.5, 3, 0.001, 0.5), ((128,), 0.5, 2, 0.003, 1.0),
        ((128,), 0.5, 3, 0.003, 3.0), ((256,), 0.7, 5, 0.001, 0.5), ((512,), 0.5, 3, 0.003, 1.0),
        ((512,), 0.7, 4, 0.003, 2.0),
    ]
]  # fmt: skip


def posts(count: int, draw: int) -> pl.DataFrame:
    """So many posts in an order of their own."""
    folder = Path(os.environ.get("SHORTLIST_DATA", Path(__file__).parents[3] / "shared/data"))
    table = pl.read_parquet(folder / "reddit_top/posts.parquet", columns=["title", "score"])
    return table[np.random.default_rng(draw).permutation(table.height)[:count]]


def quality(name: str, folder: str, draw: str) -> dict[str, Any]:
    """The squared error of every judged post, in one order."""
    table = posts(2 * ROWS, int(draw))
    learnt, judged = table[:ROWS], table[ROWS:]
    encoder = sl.Pretrained(folder=folder, fine_tune=name == "tuned")
    networks = {
        "trees": [None],
        "frozen": [sl.TabularNetwork(encoder=encoder)],
        "best": [sl.TabularNetwork(encoder=encoder, **plan) for plan in PLANS],
        "tuned": [sl.TabularNetwork(encoder=encoder)],
    }
    started = time.perf_counter()
    found = []
    for network in networks[name]:
        trees = {} if network is None else {"trees": None, "network": network}
        columns = sl.Columns(texts=("title",))
        fitted = sl.TabularRegression(targets=("score",), columns=columns, metric="rmsle", **trees).fit(learnt)
        answer = fitted.predict(judged)["prediction"].to_numpy()
        found.append((np.log1p(answer) - np.log1p(judged["score"].to_numpy())) ** 2)
        print(name, draw, np.sqrt(found[-1].mean()), file=sys.stderr, flush=True)
    best = min(found, key=lambda squares: float(squares.mean()))
    return {"squares": best.tolist(), "seconds": time.perf_counter() - started}


def speed(folder: str, times: str) -> dict[str, list[float]]:
    """Texts a second, ours and naive in turn."""
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    table = posts(ENCODED, 0)
    texts, salts = table["title"], np.zeros(ENCODED, np.int64)
    opened = sl.Pretrained(folder=folder, cache="none").opened()
    tuned = sl.Pretrained(folder=folder, fine_tune=True)
    plan = tuned.opened().plan.model_copy(update={"epochs": 1, "batch_size": BATCH})
    recipe = sl.TabularNetwork(encoder=tuned, training=plan)
    number_N = np.log1p(table["score"].to_numpy().astype(float))
    naive = _Naive(folder)
    runs = {
        "ours encoded": lambda: opened.encode(opened.read([(texts, 1.0)], salts, "item")),
        "naive encoded": lambda: naive.encoded(texts.to_list()),
        "ours trained": lambda: recipe.fit(
            sl.Columns(texts=("title",)), table[:TRAINED], number_N[:TRAINED], np.arange(TRAINED), np.arange(1), 0
        ),
        "naive trained": lambda: naive.trained(texts[:TRAINED].to_list(), number_N[:TRAINED]),
    }
    told: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(int(times)):
        for name, run in runs.items():
            started = time.perf_counter()
            run()
            seconds = time.perf_counter() - started
            told[name].append((TRAINED if name.endswith("trained") else ENCODED) / seconds)
            print(name, told[name][-1], file=sys.stderr, flush=True)
    return told


class _Naive:
    """The plain loop."""

    def __init__(self, folder: str) -> None:
        from transformers import AutoModel, AutoTokenizer

        self._folder, self._read = folder, AutoModel.from_pretrained
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._model = self._read(folder).eval()

    def encoded(self, texts: list[str]) -> Any:
        """The mean of the last layer, of length one."""
        import torch

        with torch.inference_mode():
            return torch.cat([self._vectors(self._model, texts[at : at + BATCH]) for at in range(0, len(texts), BATCH)])

    def trained(self, texts: list[str], number_N: np.ndarray) -> None:
        """One epoch of squared errors by AdamW."""
        import torch

        model, head = self._read(self._folder).train(), torch.nn.Linear(384, 1)
        optimizer = torch.optim.AdamW([*model.parameters(), *head.parameters()], lr=5e-5)
        order = torch.randperm(len(texts), generator=torch.Generator().manual_seed(0)).tolist()
        for at in range(0, len(order), BATCH):
            rows = order[at : at + BATCH]
            told = head(self._vectors(model, [texts[row] for row in rows]))[:, 0]
            loss = (told - torch.tensor(number_N[rows], dtype=torch.float32)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    def _vectors(self, model: Any, texts: list[str]) -> Any:
        import torch

        told = self._tokenizer(texts, padding=True, truncation=True, max_length=TOKENS, return_tensors="pt")
        last, there = model(**told).last_hidden_state, told["attention_mask"][..., None]
        return torch.nn.functional.normalize((last * there).sum(1) / there.sum(1), dim=1)


if __name__ == "__main__":
    made = {"quality": quality, "speed": speed}[sys.argv[1]](*sys.argv[2:])
    print(json.dumps(made))
