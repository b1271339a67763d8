"""BPR: a step against its gradient, draws that avoid what was met, and what no input may break."""

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from shortlist.dataset.dataset import Dataset
from shortlist.kernels.pairwise import climb
from shortlist.models.bpr import BPR, trained
from shortlist.models.retrieval import Request
from shortlist.tables import samples


def test_a_step_follows_the_gradient() -> None:
    random = np.random.default_rng(0)
    x, y = (random.standard_normal((n, 5)).astype(np.float32) for n in (1, 2))
    past_x, past_y = np.full(1, 2.0, np.float32), np.full(2, 3.0, np.float32)
    new_x, new_y = x.copy(), y.copy()
    one = np.zeros(1, np.int32)
    starts, met, others = np.array([0, 1]), np.array([0], np.int32), np.array([1], np.int32)
    climb(one, one, others, 1, starts, met, 1, np.float32(0.1), np.float32(0.2), new_x, new_y, past_x, past_y)
    difference = float(x[0] @ (y[0] - y[1]))
    g = 1 / (1 + np.exp(difference))
    steps = {
        "x": (g * (y[0] - y[1]) - 0.2 * x[0], x[0], new_x[0], 2.0),
        "y": (g * x[0] - 0.2 * y[0], y[0], new_y[0], 3.0),
        "z": (-g * x[0] - 0.2 * y[1], y[1], new_y[1], 3.0),
    }
    for gradient, old, new, past in steps.values():
        assert np.allclose(new, old + 0.1 / np.sqrt(past + (gradient**2).mean()) * gradient, atol=1e-5)


def test_what_was_met_is_ranked_before_what_was_not() -> None:
    data = Dataset.read(samples.checkerboard(20, 12, holes=0))
    fitted = BPR(factors=4, regularization=0.01).fit(data)
    found = fitted.retrieve(Request(np.arange(20, dtype=np.int32), 6))
    users, items = data.user_ids.originals(found["user"]), data.item_ids.originals(found["item"])
    met = data.pairs()
    asked = pl.DataFrame({"user_id": users, "item_id": items}).join(met, on=["user_id", "item_id"], how="semi")
    assert asked.height == found.height


def test_another_seed_gives_other_vectors_and_the_same_one_the_same() -> None:
    seen = sparse.csr_array((np.random.default_rng(0).random((30, 20)) < 0.3).astype(np.float32))
    recipe = BPR(factors=4, iterations=3, regularization=0.01)
    (x, y), (again_x, again_y) = trained(recipe, seen), trained(recipe, seen)
    assert np.array_equal(x, again_x)
    assert np.array_equal(y, again_y)
    assert not np.array_equal(y, trained(recipe.model_copy(update={"seed": 1}), seen)[1])


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 4), st.sampled_from([-1.0, 0.0, 0.5, 3.0])), min_size=1, max_size=25
    )
)
@settings(max_examples=20, deadline=None)
def test_no_input_breaks_it(rows: list[tuple[int, int, float]]) -> None:
    events = pl.DataFrame(rows, schema=["user_id", "item_id", "weight"], orient="row")
    data = Dataset.read(events)
    fitted = BPR(factors=3, iterations=3).fit(data)
    summed = events.group_by("user_id", "item_id").agg(pl.col("weight").sum()).filter(pl.col("weight") > 0)
    found = fitted.retrieve(Request(np.arange(7, dtype=np.int32), 9))
    assert found["score"].is_finite().all()
    assert set(data.user_ids.originals(found["user"])) <= set(summed["user_id"])
    assert set(data.item_ids.originals(found["item"])) <= set(summed["item_id"])
