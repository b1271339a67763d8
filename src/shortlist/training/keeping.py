"""Keeping: training in a folder while it runs, so that it can be gone on with to the bit, and its log.

`training.safetensors` holds every tensor, and in its header, as JSON, all else and what is being trained: one file,
moved into place whole, so that a kill at any moment leaves the one before. `log.csv` is the path so far.
"""

import csv
import json
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.io import CheckpointIO
from pytorch_lightning.callbacks import Callback
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from shortlist.errors import ConfigError, StoreError

FILE = "training.safetensors"
LOG = "log.csv"


class Keeping(Callback):
    """Keeps training every so many seconds and at its end, with the rows that `log` gives."""

    def __init__(
        self, folder: Path, every: float, identity: str, log: Callable[[], Iterable[Mapping[str, float]]]
    ) -> None:
        self._folder, self._every, self._identity, self._log = folder, every, identity, log
        self._kept = time.monotonic()

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        # Between two batches whose gradients are added up there is no state to go on from.
        whole = (batch_idx + 1) % trainer.accumulate_grad_batches == 0 or batch_idx + 1 == trainer.num_training_batches
        if whole and time.monotonic() - self._kept >= self._every:
            self._keep(trainer)

    def on_train_end(self, trainer: Any, module: Any) -> None:
        self._keep(trainer)

    def on_save_checkpoint(self, trainer: Any, module: Any, checkpoint: dict[str, Any]) -> None:
        checkpoint["identity"] = self._identity
        checkpoint["random"] = torch.get_rng_state()

    def on_load_checkpoint(self, trainer: Any, module: Any, checkpoint: dict[str, Any]) -> None:
        torch.set_rng_state(checkpoint["random"])

    def _keep(self, trainer: Any) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        trainer.save_checkpoint(self._folder / FILE)
        rows = list(self._log())
        names = list(dict.fromkeys(name for row in rows for name in row))
        aside = self._folder / f".{LOG}"
        with aside.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(rows)
        aside.replace(self._folder / LOG)
        self._kept = time.monotonic()


def unfinished(folder: Path, identity: str) -> Path | None:
    """The file of what is kept in a folder; None where nothing is. Of another training it is a `ConfigError`."""
    file = folder / FILE
    if not file.exists():
        return None
    if _read(file)[0]["identity"] != identity:
        raise ConfigError(
            f"{str(folder)!r} keeps the training of something else (another recipe or other data): "
            "name another folder, or delete this one"
        )
    return file


class InSafetensors(CheckpointIO):
    """How Lightning writes and reads what is kept: no pickle."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """One file, moved into place."""
        tensors: dict[str, torch.Tensor] = {}
        told = {"identity": checkpoint["identity"], "state": _told(checkpoint, tensors)}
        aside = Path(path).with_name(f".{Path(path).name}")
        save_file(tensors, aside, metadata={"training": json.dumps(told)})
        aside.replace(path)

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: Any = None) -> dict[str, Any]:
        """What `save_checkpoint` was given."""
        told, tensors = _read(Path(path))
        checkpoint: dict[str, Any] = _state(told["state"], tensors)
        return checkpoint

    def remove_checkpoint(self, path: Any) -> None:
        """Deletes it."""
        Path(path).unlink()


def _read(file: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    try:
        with safe_open(file, framework="pt") as stored:
            told: dict[str, Any] = json.loads(stored.metadata()["training"])
            return told, {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118  (no mapping)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise StoreError(f"{str(file)!r} is damaged: {error}; delete it to train from the beginning") from None


def _told(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    """A value in terms of JSON, its tensors put aside under numbers."""
    if isinstance(value, torch.Tensor):
        name = str(len(tensors))
        tensors[name] = value.detach().clone().contiguous()
        return {"tensor": name}
    if isinstance(value, dict):
        return {"dict": [[_told(key, tensors), _told(one, tensors)] for key, one in value.items()]}
    if isinstance(value, list | tuple):
        return {type(value).__name__: [_told(one, tensors) for one in value]}
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise AssertionError(f"a {type(value).__name__} cannot be kept without pickle")


def _state(told: Any, tensors: dict[str, torch.Tensor]) -> Any:
    """What `_told` was given."""
    if not isinstance(told, dict):
        return told
    ((kind, value),) = told.items()
    match kind:
        case "tensor":
            return tensors[value]
        case "dict":
            return {_state(key, tensors): _state(one, tensors) for key, one in value}
        case "list":
            return [_state(one, tensors) for one in value]
        case _:
            return tuple(_state(one, tensors) for one in value)
