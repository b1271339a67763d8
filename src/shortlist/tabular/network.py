"""Tabular network: a number of a row by a network of its text, categories, numbers and time, trained as all others are.

Texts come through an encoder: one of our own that learns with the rest, or any that somebody trained, as it is or
fine-tuned. Values of categories have vectors of their own; numbers are scaled, and what is missing is told apart.
Source: Guo, Berkhahn, "Entity Embeddings of Categorical Variables", 2016.
Cost of an epoch: that of the encoder's texts, which is most of it, and 6 W H flops a row (W numbers of all parts).

Shapes: N rows, D numbers, C categories, W numbers of all parts of a row.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import polars as pl
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from shortlist.config import Config
from shortlist.models.networks import beside, trained
from shortlist.models.pretrained import Pretrained
from shortlist.models.text_encoders import FittedEncoder, NGrams, Opened
from shortlist.progress import step
from shortlist.seeds import Seeds
from shortlist.tabular.category_means import placed
from shortlist.tabular.columns import DAY, Columns, coded, plain_texts
from shortlist.tabular.scale import Scale
from shortlist.tabular.terms import calendar
from shortlist.training.plan import Training, torch_for

if TYPE_CHECKING:
    from torch import nn

AT_ONCE = 65_536
"""Rows that are answered together."""
FROM_NOTHING = Training(epochs=3, batch_size="auto", learning_rate=0.003, weight_decay=1.0, warm_up=0.1, epsilon=1e-8)
"""How a network is trained whose weights all start from nothing."""
ABOVE: Mapping[str, Any] = {"epochs": 2, "learning_rate": 0.001}
"""In what the plan of a network above an encoder that is fine-tuned differs from the encoder's own."""
CALENDAR = {"hour": 24, "weekday": 7, "month": 13}
"""Parts of a time that have vectors, and one more than the largest of each."""


class TabularNetwork(Config):
    """Recipe: the encoder of texts, the layers above it, and how all this is trained."""

    encoder: Annotated[NGrams | Pretrained, Field(discriminator="kind")] = NGrams()
    """What makes vectors of texts; not looked at where no texts are named."""
    factors: PositiveInt = 16
    """Length of the vector of a category's value."""
    layers: tuple[PositiveInt, ...] = (128,)
    """Numbers of each hidden layer; () for a linear model."""
    dropout: float = Field(0.5, ge=0, lt=1)
    """Share of a hidden layer's numbers that a step does without."""
    min_rows: NonNegativeInt = 5
    """Rows that a value needs to have a vector of its own: all others, and those never met, share one."""
    encoder_rate: PositiveFloat = 0.1
    """The rate of an encoder that was trained before, as a share of that of all else."""
    training: Training | None = None
    """How it is trained; none named: see `FROM_NOTHING`, and where an encoder is fine-tuned its plan and `ABOVE`."""

    def plan(self) -> Training:
        """How it is trained where texts are named."""
        return self.training or _plan(self.encoder.opened())

    def kept_in_part(self, part: str) -> "TabularNetwork":
        """The same; where its training is kept in a folder, in one of a part of its own within."""
        return self if self.training is None else self.model_copy(update={"training": self.training.in_part(part)})

    def fit(
        self,
        columns: Columns,
        table: pl.DataFrame,
        number_N: np.ndarray,
        learnt: np.ndarray,
        held: np.ndarray,
        seed: int,
    ) -> "FittedTabularNetwork":
        """Learn the numbers of the rows `learnt`; where the training has a patience, it ends by the rows `held`."""
        torch_for("training a network")
        seeds = Seeds(seed)
        mean, spread = float(number_N[learnt].mean()), float(number_N[learnt].std()) or 1.0
        target_N = ((number_N - mean) / spread).astype(np.float32)
        known = {name: self._known(table[name][learnt]) for name in columns.categories}
        scale = Scale.of(_numbers(columns, table[learnt]))
        opened: Opened | None = self.encoder.opened() if columns.texts else None
        with step("read the texts"):
            read = _Read.of(columns, table, known, scale, opened)
        learning = opened if opened is not None and opened.learns else None
        if opened is not None and learning is None:
            with step("vectors of the texts"):
                read = read.with_vectors(opened.encoded(None, read.texts))
        training = self.training or _plan(learning)
        net = self._network(known, columns, read, learning, seeds)
        with step("train the network"):
            losses, training = self._taught(net, read, target_N, learnt, held, learning, training, seeds)
        kept = None if opened is None else opened.fitted(net.text)
        layers = [(part.weight.detach().numpy().copy(), part.bias.detach().numpy().copy()) for part in net.layers]
        return FittedTabularNetwork(
            self.model_copy(update={"training": training}),
            columns,
            known,
            scale,
            kept,
            tuple(part.weight.detach().numpy().copy() for part in net.categories),
            tuple(weight for weight, _ in layers),
            tuple(bias for _, bias in layers),
            mean,
            spread,
            losses,
        )

    def _known(self, column: pl.Series) -> pl.DataFrame:
        """The values that have a vector, and their places, from 0."""
        met = pl.DataFrame({"value": coded([column])}).group_by("value").len().filter(pl.col("len") >= self.min_rows)
        return met.select(pl.col("value").sort()).with_row_index("place").cast({"place": pl.Int64})

    def _network(
        self, known: Mapping[str, pl.DataFrame], columns: Columns, read: "_Read", encoder: Opened | None, seeds: Seeds
    ) -> Any:
        import torch

        from shortlist.nn.tabular import Tabular

        net = None if encoder is None else encoder.network(read.texts, seeds.number("encoder"))
        sizes = [1 + values.height for values in known.values()]
        if columns.time:
            sizes += [1 + count for count in CALENDAR.values()]
        width = read.number_ND.shape[1] + len(sizes) * self.factors + (_width(net, read) if net is not None else 0)
        share = self.encoder_rate if isinstance(self.encoder, Pretrained) else 1.0
        start = torch.Generator().manual_seed(seeds.number("start"))
        return Tabular(net, sizes, self.factors, (width, *self.layers), share, self.dropout, start)

    def _taught(
        self,
        net: "nn.Module",
        read: "_Read",
        target_N: np.ndarray,
        learnt: np.ndarray,
        held: np.ndarray,
        encoder: Opened | None,
        training: Training,
        seeds: Seeds,
    ) -> tuple[pl.DataFrame, Training]:
        import torch

        from shortlist.training import losses
        from shortlist.training.batches import Batches

        def batch(rows: np.ndarray) -> tuple[Any, ...]:
            return torch.from_numpy(target_N[rows]), *read.tensors(rows)

        def loss(net: Any, batch: Any) -> Any:
            target_B, *row = batch
            # Every row counts the same, also where a batch holds few long texts or many short ones.
            return losses.squared(net(*row), target_B) * (len(target_B) / rows_a_batch)

        def judge(net: Any) -> dict[str, float]:
            parts = (beside(net, batch(part)) for part in np.array_split(held, -(-len(held) // 256)))
            left = np.concatenate([(net(*row) - target_B).cpu().numpy() for target_B, *row in parts])
            return {"loss": float(np.mean(left**2)), "rmse": float(np.sqrt(np.mean(left**2)))}

        def made(rows: Any, _: Any) -> tuple[Any, ...]:
            return batch(learnt[rows.numpy()])

        rows_a_batch, order = training.batch_of(len(learnt)), seeds.number("order")
        if encoder is not None and isinstance(self.encoder, Pretrained):  # little is padded
            batches = Batches.of_like_length(rows_a_batch, order, made, read.texts.lengths[learnt])
        else:
            batches = Batches(len(learnt), rows_a_batch, order, made)
        width = sum(self.layers) + read.number_ND.shape[1] + (encoder.numbers if encoder is not None else 0)
        arrays = (target_N, read.number_ND, read.code_NC, *(read.texts.arrays if read.texts is not None else ()))
        judges = judge if training.patience is not None else None
        return trained(self, training, net.train(), loss, batches, width=width, judge=judges, arrays=arrays)


@dataclass(frozen=True)
class FittedTabularNetwork:
    """The values that have vectors, the `encoder` of texts, a table of vectors (float32, its values and one of all
    others first × factors) for each category and part of the time, and the layers' weights and biases (float32).

    What is answered is told in deviations (`spread`) from the `mean`. `losses` is the path of the loss.
    """

    recipe: TabularNetwork
    columns: Columns
    known: Mapping[str, pl.DataFrame]
    scale: Scale
    encoder: FittedEncoder | None
    categories: tuple[np.ndarray, ...]
    weights: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]
    mean: float
    spread: float
    losses: pl.DataFrame

    def predict(self, table: pl.DataFrame) -> np.ndarray:
        """The number of each row (float64, N)."""
        found = np.empty(table.height)
        for start in range(0, table.height, AT_ONCE):
            part = table[start : start + AT_ONCE]
            found[start : start + part.height] = self._of(part)
        return found

    def _of(self, table: pl.DataFrame) -> np.ndarray:
        read = _Read.of(self.columns, table, self.known, self.scale, self.encoder)
        codes = enumerate(self.categories)
        parts = [read.number_ND, *(vectors[read.code_NC[:, place]] for place, vectors in codes)]
        if self.encoder is not None:
            text_ND = self.encoder.encode(read.texts)
            # Vectors that did not learn stand among the numbers: see `_Read.with_vectors`.
            parts.insert(len(parts) if self.encoder_learns else 1, text_ND * np.float32(text_ND.shape[1] ** 0.5))
        # In float64, so that no other row of a product changes a bit that is told.
        h_NH = np.hstack(parts).astype(np.float64)
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            h_NH = np.maximum(h_NH @ weight.T + bias, 0)
        scaled: np.ndarray = (h_NH @ self.weights[-1][0] + self.biases[-1]).astype(np.float32)
        return scaled.astype(np.float64) * self.spread + self.mean

    @property
    def encoder_learns(self) -> bool:
        """Whether the encoder was trained with the rest."""
        encoder = self.recipe.encoder
        return not isinstance(encoder, Pretrained) or encoder.fine_tune


@dataclass(frozen=True)
class _Read:
    """Rows as the network takes them: their numbers (float32), the places of their categories (int64; 0: not known),
    and their texts.
    """

    number_ND: np.ndarray
    code_NC: np.ndarray
    texts: Any = None

    @classmethod
    def of(
        cls, columns: Columns, table: pl.DataFrame, known: Mapping[str, pl.DataFrame], scale: Scale, encoder: Any
    ) -> "_Read":
        """Those of a table; `encoder` reads the texts."""
        codes = [placed(values, coded([table[name]])) + 1 for name, values in known.items()]
        if columns.time:
            codes += [part + 1 for part in calendar(columns.seconds(table)).values()]
        code_NC = np.column_stack(codes) if codes else np.zeros((table.height, 0), np.int64)
        texts = None
        if encoder is not None and columns.texts:
            fields = [(plain_texts(table[name]), 1.0) for name in columns.texts]
            texts = encoder.read(fields, np.zeros(table.height, np.int64), "item")
        return cls(scale(_numbers(columns, table)), code_NC.astype(np.int64), texts)

    def with_vectors(self, vector_NT: np.ndarray) -> "_Read":
        """The same where the vectors of texts, which will not change, are numbers behind the others."""
        return _Read(np.hstack([self.number_ND, vector_NT * np.float32(vector_NT.shape[1] ** 0.5)]), self.code_NC)

    def tensors(self, rows: np.ndarray) -> tuple[Any, ...]:
        """What the network is given for these rows."""
        import torch

        told = torch.from_numpy(self.number_ND[rows]), torch.from_numpy(self.code_NC[rows])
        return told if self.texts is None else (*told, *self.texts.tensors(rows))


def _numbers(columns: Columns, table: pl.DataFrame) -> np.ndarray:
    """The numbers of rows (float32, N × D), days since 1970 last; NaN where they are missing."""
    numbers = [table[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in columns.numbers]
    if columns.time:
        numbers.append(columns.seconds(table) / DAY)
    found: np.ndarray = np.column_stack([np.zeros((table.height, 0)), *numbers]).astype(np.float32)
    return found


def _plan(learning: Opened | None) -> Training:
    if learning is None or isinstance(learning, NGrams) or not learning.learns:
        return FROM_NOTHING
    return learning.plan.model_copy(update=ABOVE)


def _width(net: "nn.Module", read: _Read) -> int:
    """Numbers that a network of texts makes of one."""
    import torch

    with torch.no_grad():
        return int(net(*read.texts.tensors(np.zeros(1, np.int64))).shape[1])
