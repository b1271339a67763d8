"""What is told before training, beside what training takes in a process of its own."""

import json
import subprocess
import sys

import pytest

import shortlist as sl
from shortlist.errors import ConfigError
from shortlist.memory_needs import memory_report
from shortlist.tables import samples
from shortlist.training.memory import Needs

SCRIPT = """
import json, sys
import numpy as np
from scipy import sparse
import shortlist as sl
from shortlist.models import dot_product, neural_ratings
model, users, items, rows, batch = sys.argv[1], *map(int, sys.argv[2:])
random = np.random.default_rng(0)
def said(users, items, rows):
    starts = np.append(0, np.cumsum(random.multinomial(rows, np.full(users, 1 / users))))
    columns = random.integers(0, items, rows, dtype=np.int32)
    return sparse.csr_array((random.integers(1, 6, rows).astype(float), columns, starts), shape=(users, items))
recipe = getattr(sl, model)(training=sl.Training(epochs=1, batch_size=batch))
# The ratings come without tables: an engine may give memory back while training takes some.
dot_product.ratings = neural_ratings.ratings = lambda table: table
recipe.fit(said(9, 9, 30))  # what is loaded once is not counted
told = recipe.needs(users, items, rows).of()["total"] / 1e6
print(json.dumps([told, recipe.fit(said(users, items, rows)).peak_mb]))
"""
SIZES = [
    ("DotProduct", 200_000, 60_000, 300_000, 8_192),
    ("DotProduct", 400_000, 100_000, 400_000, 8_192),
    ("NeuralRatings", 300_000, 50_000, 500_000, 4_096),
]


@pytest.mark.parametrize("size", SIZES)
def test_the_report_is_within_15_percent_of_what_training_takes(size: tuple[object, ...]) -> None:
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, *map(str, size)]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(3)]
    told, took = zip(*(json.loads(run.splitlines()[-1]) for run in runs), strict=True)
    # A peak also has what was freed and not yet given back, from run to run another amount: the least of three.
    assert told[0] == pytest.approx(min(took), rel=0.15)


def test_larger_batches_take_more_and_the_report_says_so() -> None:
    needs = Needs(weights=1_000_000, width=100, rows=100_000, row_bytes=12, batch=512)
    assert needs.of(1_024)["activations"] == 2 * needs.of(512)["activations"]
    assert needs.of()["weights"] == 4_000_000
    assert needs.of()["total"] == sum(count for name, count in needs.of().items() if name != "total")
    assert "4.0 MB" in str(needs)
    assert "65,536" in str(needs)


def test_what_no_gradients_train_is_told() -> None:
    data = sl.Dataset.read(samples.shop(users=9, items=9, days=30, seed=1).events)
    with pytest.raises(ConfigError, match="Bias is not trained by gradients"):
        memory_report(sl.Bias(), data)
