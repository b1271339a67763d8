"""SASRec of the plain PyTorch repository (pmixer/SASRec.pytorch): `by_plain.py FOLDER CHECKOUT LENGTH EPOCHS`.

64 factors, 2 blocks, 2 heads, dropout 0.2, Adam at 0.001, batches of 128, its own sampler in a thread beside. Its loss
is BCE with one negative. The first epoch is left out.
"""

import json
import queue
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

from defaults_quality import sets


def main(folder: str, checkout: str, length: int, epochs: int) -> None:
    """Print the targets learnt in a second."""
    sys.path.insert(0, str(Path(checkout) / "python"))
    from model import SASRec
    from utils import sample_function

    torch.manual_seed(0)
    torch.set_num_threads(2)
    cut = sets.read(folder)
    users, items = cut.matrix.shape
    of = {user + 1: [] for user in range(users)}
    for user, item in zip(cut.train["user_id"], cut.train["item_id"], strict=True):
        of[user + 1].append(item + 1)
    batches = queue.Queue(maxsize=4)
    given = (of, users, items, 128, length, batches, 42)
    threading.Thread(target=sample_function, args=given, daemon=True).start()
    net = SASRec(
        users,
        items,
        SimpleNamespace(
            device="cpu", hidden_units=64, maxlen=length, dropout_rate=0.2, num_blocks=2, num_heads=2, norm_first=False
        ),
    )
    for weight in net.parameters():
        if weight.dim() > 1:
            torch.nn.init.xavier_normal_(weight.data)
    net.train()
    optimizer, bce = torch.optim.Adam(net.parameters(), lr=1e-3, betas=(0.9, 0.98)), torch.nn.BCEWithLogitsLoss()
    taken, learnt = [], []
    for _ in range(epochs):
        started, count = time.perf_counter(), 0
        for _ in range((users - 1) // 128 + 1):
            user, read, met, other = map(np.array, batches.get())
            met_logits, other_logits = net(user, read, met, other)
            there = np.where(met != 0)
            count += len(there[0])
            loss = bce(met_logits[there], torch.ones_like(met_logits[there]))
            loss = loss + bce(other_logits[there], torch.zeros_like(other_logits[there]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        taken.append(time.perf_counter() - started)
        learnt.append(count)
    told = {"seconds": float(np.median(taken[1:])), "targets": float(np.median(learnt[1:]))}
    print(json.dumps(told | {"version": "SASRec.pytorch"}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
