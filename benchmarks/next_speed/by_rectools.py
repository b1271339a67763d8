"""RecTools' SASRec in its own Python: `by_rectools.py FOLDER LOSS NEGATIVES LENGTH EPOCHS FACTORS [LISTS]`.

2 blocks, 2 heads, dropout 0.2, Adam at 0.001, batches of 128, as its documentation has them. The clock runs
from the beginning of an epoch to its end; the first one, in which all is warmed up, is left out where others follow.
With LISTS the seconds of training so far and NDCG@10 of the judged users are told after each epoch.
"""

import json
import os
import sys
import time
from importlib.metadata import version

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import Callback, Trainer
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel

from defaults_quality import sets


class Clock(Callback):
    """The seconds of each epoch, and what `judge` says after it. RecTools copies it: so all is held by the class."""

    epochs, told, judge = [], [], None

    def on_train_epoch_start(self, *_):
        """The clock starts."""
        self._started = time.perf_counter()

    def on_train_epoch_end(self, *_):
        """It stops, and what was learnt is judged."""
        self.epochs.append(time.perf_counter() - self._started)
        if Clock.judge is not None:
            self.told.append((sum(self.epochs), Clock.judge()))
            print(self.told[-1], file=sys.stderr, flush=True)


def dataset(cut: sets.Cut) -> Dataset:
    """The training part; the order of a user's events is that of the rows."""
    frame = cut.train.rename(columns={"user_id": Columns.User, "item_id": Columns.Item})
    frame[Columns.Datetime] = pd.to_datetime(np.arange(len(frame)), unit="s")
    frame[Columns.Weight] = 1.0
    return Dataset.construct(frame[[Columns.User, Columns.Item, Columns.Weight, Columns.Datetime]])


def fit(cut, loss, negatives, length, epochs, factors, *, judge):
    """Trains; `Clock` tells how long it took."""
    made = dataset(cut)

    def trainer():
        return Trainer(
            accelerator="cpu",
            max_epochs=epochs,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[Clock()],
        )

    model = SASRecModel(
        epochs=epochs,
        session_max_len=length,
        loss=loss,
        n_negatives=negatives,
        get_trainer_func=trainer,
        dataloader_num_workers=0,
        n_factors=factors,
        n_blocks=2,
        n_heads=2,
        lr=1e-3,
        batch_size=128,
        dropout_rate=0.2,
    )
    if judge:
        Clock.judge = lambda: quality(model, made, cut)
    model.fit(made)


def quality(model, made, cut) -> float:
    """NDCG@10 of the judged users."""
    model.is_fitted = True  # it says so only when all epochs are over
    training = model.lightning_model.training
    model.lightning_model.eval()
    asked = {"users": cut.users, "dataset": made, "k": sets.K, "filter_viewed": True}
    with torch.no_grad():  # it has no answer for a user of whom it kept no event: a list without a hit
        found = model.recommend(**asked, on_unsupported_targets="ignore")
    model.lightning_model.train(training)
    lists = np.full((len(cut.users), sets.K), -1)
    places = np.searchsorted(cut.users, found[Columns.User].to_numpy())
    lists[places, found[Columns.Rank].to_numpy() - 1] = found[Columns.Item].to_numpy()
    return float(cut.ndcg(lists).mean())


def targets(cut: sets.Cut, length: int) -> int:
    """What is learnt in an epoch: for each user no more than the newest `length`."""
    counts = np.bincount(cut.train["user_id"])
    return int(np.minimum(np.maximum(counts - 1, 0), length).sum())


def main(folder: str, loss: str, negatives: int, length: int, epochs: int, factors: int, *, judge: bool) -> None:
    """Print the targets learnt in a second, and the path of quality where it is asked for."""
    torch.manual_seed(0)
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    cut = sets.read(folder)
    fit(cut, loss, negatives, length, epochs, factors, judge=judge)
    seconds = float(np.median(Clock.epochs[1:] or Clock.epochs))
    told = {"seconds": seconds, "targets": targets(cut, length), "path": Clock.told}
    print(json.dumps(told | {"version": f"RecTools {version('rectools')}"}))


if __name__ == "__main__":
    _, given, name, drawn, most, count, width, *asked = sys.argv
    main(given, name, int(drawn), int(most), int(count), int(width), judge=bool(asked))
