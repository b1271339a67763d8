"""The one loop that trains every network: a task gives it a network, batches and a loss.

PyTorch Lightning turns the steps; what a step is, when it is kept and how it is told stands here. The same seed gives
the same bits on one machine, and so does training that was cut off at any step and gone on with from its folder.
"""

import logging
import math
import os
import signal
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import TensorBoardLogger
from torch import nn

from shortlist.errors import ConfigError, MissingExtraError
from shortlist.progress import reached
from shortlist.threads import cores
from shortlist.training.batches import Batches
from shortlist.training.keeping import InSafetensors, Keeping, unfinished
from shortlist.training.plan import Training

Loss = Callable[[nn.Module, tuple[torch.Tensor, ...]], torch.Tensor]
"""The mean loss of a batch, one number."""
Schedule = Callable[[torch.optim.Optimizer, int], torch.optim.lr_scheduler.LRScheduler]
"""The rate of each of so many steps."""
Judge = Callable[[nn.Module], Mapping[str, float]]
"""Figures of a network on what is held out, by name."""

TOLD = 100
"""Points of the path of the loss, about."""
STEEP = 25.0
"""How many times lower than its highest the rate starts in `one_cycle`; it ends so many times cubed lower."""
MOMENTUM = (0.85, 0.95)
"""Momentum where the rate is highest, and where it is lowest."""
MUCH = 2**21
"""Numbers in the activations of a batch from which more than one thread pays."""
HIGHER_IS_BETTER = ("ndcg", "map", "recall", "precision", "hit_rate", "mrr", "r2", "spearman")
"""Names of figures of which more is better begin so; of all others less is."""


@dataclass(frozen=True)
class Trained:
    """The path that training took: P points. Figures on what is held out stand at the ends of epochs (E of them)."""

    step_P: np.ndarray
    rate_P: np.ndarray
    loss_P: np.ndarray
    """Mean of the batches since the point before."""
    figures: Mapping[str, np.ndarray] = field(default_factory=dict)
    best: int = 0
    """The epoch (from 0) whose weights the network has: the last one, or with a patience the best."""


def train(
    net: nn.Module,
    loss: Loss,
    batches: Batches,
    plan: Training,
    *,
    width: int,
    judge: Judge | None = None,
    identity: str = "",
    schedule: Schedule | None = None,
    steps: int | None = None,
) -> Trained:
    """Trains `net` in place by `plan`, whose rate is a number.

    `width` is how many numbers a row has in the network's activations; `judge` is needed where the plan has a patience.
    `identity` tells apart what is trained: a folder that holds the beginnings of something else is a `ConfigError`.
    `schedule` and a number of `steps` stand in for those of the plan. A network with `rate_shares`, beginnings of names
    of weights and what share of the rate these have, learns there at that share.

    Started by `torchrun`, each process trains on the batches that it is given, such as those of its share of a
    `Stream`, equally many for each; gradients are averaged, and all end with the same weights. Such training is not
    kept in a folder, and has no patience: `ConfigError`.
    """
    if plan.patience is not None and judge is None:
        raise ConfigError(
            "a patience needs something held out to judge on, and this model holds nothing out: leave it out"
        )
    rank, ranks = _place()
    if ranks > 1 and (plan.folder is not None or plan.patience is not None):
        raise ConfigError(f"{ranks} processes train together: leave out the folder and the patience of the training")
    steps = steps or plan.epochs * -(-len(batches) // plan.accumulate)
    task = _Task(net, loss, plan, steps, schedule or partial(_by_plan, plan))
    path = _Path(max(1, steps * plan.accumulate // TOLD))
    figures = _Figures(net, plan, judge)
    callbacks: list[Callback] = [path, figures]
    folder = None if plan.folder is None else Path(plan.folder)
    if folder is not None:
        callbacks.append(Keeping(folder, plan.every, identity, lambda: [*path.rows(), *figures.rows()]))
    start = None if folder is None else unfinished(folder, identity)
    with _quiet(), _threads(batches.size * width), torch.random.fork_rng():
        torch.manual_seed(batches.seed + rank)
        trainer = lightning.Trainer(
            max_epochs=plan.epochs,
            max_steps=steps,
            accelerator="auto",
            devices=int(os.environ["LOCAL_WORLD_SIZE"]) if ranks > 1 else 1,
            num_nodes=ranks // int(os.environ["LOCAL_WORLD_SIZE"]) if ranks > 1 else 1,
            strategy="ddp" if ranks > 1 else "auto",
            use_distributed_sampler=False,
            precision=_precision(plan),
            accumulate_grad_batches=plan.accumulate,
            gradient_clip_val=plan.clip,
            callbacks=callbacks,
            plugins=[InSafetensors()],
            logger=_tensorboard(folder) if plan.tensorboard and folder is not None else False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        with _interrupts(trainer):
            trainer.fit(task, batches, ckpt_path=start)
        for optimizer in trainer.optimizers:  # the trainer lives on in circles of references
            optimizer.state.clear()
    net.to("cpu").eval().zero_grad(set_to_none=True)
    figures.restore()
    step_P, rate_P, loss_P = (np.array(column) for column in zip(*path.points, strict=True))
    found = {
        name: np.array([told[name] for told in figures.told]) for name in (figures.told[0] if figures.told else ())
    }
    return Trained(step_P, rate_P, loss_P, found, figures.best)


class _Task(lightning.LightningModule):
    def __init__(self, net: nn.Module, loss: Loss, plan: Training, steps: int, schedule: Schedule) -> None:
        super().__init__()
        self.net, self._loss, self._plan, self._steps, self._schedule = net, loss, plan, steps, schedule

    def training_step(self, batch: tuple[torch.Tensor, ...], _: int) -> torch.Tensor:
        return self._loss(self.net, batch)

    def configure_optimizers(self) -> Any:
        plan = self._plan
        if plan.learning_rate == "auto":
            raise AssertionError("the rate is found before training")
        optimizer = torch.optim.AdamW(
            _groups(self.net, plan.learning_rate),
            lr=plan.learning_rate,
            betas=(MOMENTUM[1], 0.99),
            eps=plan.epsilon,
            weight_decay=plan.weight_decay,
            fused=True,
        )
        scheduler = self._schedule(optimizer, self._steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def _groups(net: nn.Module, rate: float) -> list[dict[str, Any]]:
    """The weights by their rate: those whose names begin as one of the net's `rate_shares` says have so much of it."""
    shares: Mapping[str, float] = getattr(net, "rate_shares", {})
    groups: dict[float, list[nn.Parameter]] = {1.0: []}
    for name, weight in net.named_parameters():
        share = next((share for start, share in shares.items() if name.startswith(start)), 1.0)
        groups.setdefault(share, []).append(weight)
    return [{"params": weights, "lr": share * rate} for share, weights in groups.items() if weights]


def _place() -> tuple[int, int]:
    """Which process this is, from 0, and how many `torchrun` started to train together; else the only one."""
    if "LOCAL_WORLD_SIZE" not in os.environ:
        return 0, 1
    return int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])


def _by_plan(plan: Training, optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LRScheduler:
    rising = max(1, round(plan.warm_up * steps))

    def share(step: int) -> float:
        """The rate of a step as a share of the highest."""
        match plan.schedule:
            case "one_cycle":
                up = _cosine(min(1.0, step / rising))
                down = _cosine(1 - max(0, step - rising) / max(1, steps - 1 - rising))
                low, high = MOMENTUM
                for group in optimizer.param_groups:
                    group["betas"] = (high - (high - low) * min(up, down), group["betas"][1])
                return max(down if step > rising else 1 / STEEP + (1 - 1 / STEEP) * up, STEEP**-3)
            case "warm_up":
                return min(1.0, (step + 1) / rising)
            case "constant":
                return 1.0

    return torch.optim.lr_scheduler.LambdaLR(optimizer, share)


def _cosine(share: float) -> float:
    """From 0 to 1 along half a wave."""
    return (1 - math.cos(math.pi * share)) / 2


class _Path(Callback):
    """The loss and the rate, a point every so many batches; told to whoever watches."""

    def __init__(self, every: int) -> None:
        self.points: list[tuple[int, float, float]] = []
        self._every, self._since, self._rate = every, 0, 0.0
        self._sum: torch.Tensor | None = None

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
        self._rate = float(trainer.optimizers[0].param_groups[0]["lr"])

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        loss = outputs["loss"].detach() * trainer.accumulate_grad_batches
        self._sum = loss if self._sum is None else self._sum + loss
        self._since += 1
        if self._since == self._every:
            self._point(trainer)

    def on_train_end(self, trainer: Any, module: Any) -> None:
        if self._since:
            self._point(trainer)

    def rows(self) -> list[dict[str, float]]:
        """The points as a log has them."""
        return [{"step": step, "rate": rate, "loss": loss} for step, rate, loss in self.points]

    def state_dict(self) -> dict[str, Any]:
        return {"points": [list(point) for point in self.points], "since": self._since, "sum": self._sum}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.points = [(int(step), float(rate), float(loss)) for step, rate, loss in state["points"]]
        self._since, self._sum = state["since"], state["sum"]

    def _point(self, trainer: Any) -> None:
        mean = float(self._sum) / self._since  # type: ignore[arg-type]
        self.points.append((trainer.global_step, self._rate, mean))
        self._since, self._sum = 0, None
        if trainer.logger is not None:
            trainer.logger.log_metrics({"loss": mean, "rate": self._rate}, trainer.global_step)
        steps = f"step {trainer.global_step:,} of {trainer.max_steps:,}"
        reached(f"epoch {trainer.current_epoch + 1} of {trainer.max_epochs}, {steps}, loss {mean:.4g}")


class _Figures(Callback):
    """Judges at the end of every epoch; with a patience keeps the best weights and stops."""

    def __init__(self, net: nn.Module, plan: Training, judge: Judge | None) -> None:
        self.told: list[dict[str, float]] = []
        self.best = -1
        self._net, self._plan, self._judge = net, plan, judge
        self._weights: dict[str, torch.Tensor] = {}

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        # With the last batch and not after it, so that what is kept then holds the epoch's figures too.
        if self._judge is None or batch_idx + 1 < trainer.num_training_batches:
            return
        self._net.eval()
        with torch.no_grad():
            self.told.append(dict(self._judge(self._net)))
        self._net.train()
        if trainer.logger is not None:
            told = {f"held out/{name}": figure for name, figure in self.told[-1].items()}
            trainer.logger.log_metrics(told, trainer.global_step)
        if self._plan.patience is None:
            return
        name, epoch = self._plan.stop_on, len(self.told) - 1
        if name not in self.told[-1]:
            raise ConfigError(f"stop_on={name!r} is not among what is told of this network: {', '.join(self.told[-1])}")
        sign = 1 if name.startswith(HIGHER_IS_BETTER) else -1
        if self.best < 0 or sign * self.told[-1][name] > sign * self.told[self.best][name]:
            self.best = epoch
            self._weights = deepcopy(self._net.state_dict())
        trainer.should_stop = self._impatient()

    def on_train_start(self, trainer: Any, module: Any) -> None:
        trainer.should_stop = self._impatient()

    def _impatient(self) -> bool:
        return self._plan.patience is not None and len(self.told) - 1 - self.best >= self._plan.patience

    def restore(self) -> None:
        """Gives the network its best weights back."""
        if self._weights:
            self._net.load_state_dict(self._weights)
        else:
            self.best = max(len(self.told) - 1, 0)

    def rows(self) -> list[dict[str, float]]:
        """The figures as a log has them."""
        names = {name: f"held_out_{name}" for told in self.told for name in told}
        return [{"epoch": epoch, **{names[n]: v for n, v in told.items()}} for epoch, told in enumerate(self.told, 1)]

    def state_dict(self) -> dict[str, Any]:
        return {"told": self.told, "best": self.best, "weights": self._weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.told, self.best, self._weights = state["told"], state["best"], state["weights"]


def _tensorboard(folder: Path) -> TensorBoardLogger:
    try:
        return TensorBoardLogger(str(folder), name="", version="tensorboard")
    except ModuleNotFoundError:
        raise MissingExtraError("tensorboard", "tensorboard", "a log for TensorBoard") from None


def _precision(plan: Training) -> Any:
    gpu = torch.cuda.is_available()
    if plan.precision == "bf16" or (plan.precision == "auto" and gpu and torch.cuda.is_bf16_supported()):
        return "bf16-mixed"
    return "32-true"


@contextmanager
def _threads(numbers: int) -> Iterator[None]:
    """As many threads as pay for batches with so many numbers in their activations."""
    before = torch.get_num_threads()
    torch.set_num_threads(cores() if numbers >= MUCH else 1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _interrupts(trainer: lightning.Trainer) -> Iterator[None]:
    """Ctrl-C stays Ctrl-C: Lightning would end the process with code 1, and be deaf to any further one."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit:
        if not trainer.interrupted:
            raise
        signal.signal(signal.SIGINT, before)
        raise KeyboardInterrupt from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Lightning speaks of what it found and of what one might buy; here it does not."""
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"(pytorch_)?lightning.*")
            warnings.filterwarnings("ignore", message=r".*(isinstance\(treespec, LeafSpec\)|lr_scheduler).*")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
