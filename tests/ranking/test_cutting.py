"""Where lists end, against rules that are applied one list at a time."""

from itertools import product

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from shortlist.config import parse
from shortlist.errors import ConfigError
from shortlist.ranking.cutting import VALUES, Cut, FittedCut

LISTS = st.lists(
    st.lists(st.integers(-16, 16).map(lambda n: n / 4), min_size=1, max_size=8, unique=True), min_size=1, max_size=4
)


def frame(lists: list[list[float]]) -> tuple[pl.Series, pl.Series]:
    """The lists one after the other, shuffled."""
    rows = [(number, score) for number, scores in enumerate(lists) for score in scores]
    order = np.random.default_rng(1).permutation(len(rows))
    made = pl.DataFrame([rows[place] for place in order], schema=["list", "score"], orient="row")
    return made["list"], made["score"].cast(pl.Float64)


def cut(rule: str, value: float | None = None, at_least: int = 1, missed: float = 0.3) -> FittedCut:
    return FittedCut(Cut(rule=rule, value=value, at_least=at_least), 1.5, -0.5, missed, {})  # type: ignore[arg-type]


def slowly(scores: list[float], fitted: FittedCut) -> set[float]:
    """The scores of a list that stay."""
    ordered = sorted(scores, reverse=True)
    p = [1 / (1 + np.exp(-(1.5 * score - 0.5))) for score in ordered]
    recipe, value = fitted.recipe, fitted.recipe.value or 0
    if recipe.rule == "top_k":
        n = int(value)
    elif recipe.rule == "threshold":
        n = sum(one >= value for one in p)
    elif recipe.rule == "margin":
        n = sum(one >= (1 - value) * p[0] for one in p)
    else:
        gains = [5 * sum(p[: n + 1]) / (4 * (sum(p) + fitted.missed) + n + 1) for n in range(len(p))]
        n = int(np.argmax(gains)) + 1
    return set(ordered[: max(n, recipe.at_least)])


@given(
    LISTS,
    st.sampled_from([("top_k", 2.0), ("threshold", 0.4), ("margin", 0.35), ("expected", None)]),
    st.integers(1, 3),
)
def test_rules_keep_what_they_say(lists: list[list[float]], rule: tuple[str, float | None], at_least: int) -> None:
    fitted = cut(*rule, at_least=at_least)
    of, scores = frame(lists)
    kept = pl.DataFrame({"list": of, "score": scores}).filter(fitted.keeps(of, scores))
    for number, one in enumerate(lists):
        assert set(kept.filter(list=number)["score"]) == slowly(one, fitted)


def learnt(count: int = 300, seed: int = 0) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Lists whose hits follow their scores, and some hits that no list has."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        scores = random.normal(-1.5 + random.normal(), 1.5, size=12)
        hits = random.random(12) < 1 / (1 + np.exp(-(2 * scores - 1)))
        rows += [(number, float(score), int(hit)) for score, hit in zip(scores, hits, strict=True)]
    scored = pl.DataFrame(rows, schema=["list", "score", "hit"], orient="row")
    wanted = scored.group_by("list").agg(wanted=pl.col("hit").sum() + (pl.col("list").first() % 3 == 0))
    return scored, wanted.filter(pl.col("wanted") > 0)


def test_probabilities_are_those_of_a_logistic_regression() -> None:
    scored, wanted = learnt()
    fitted = Cut(rule="expected").fit(scored, wanted)
    score, hit = scored["score"].to_numpy(), scored["hit"].to_numpy()
    hits = hit.sum()
    target = np.where(hit > 0, (hits + 1) / (hits + 2), 1 / (len(hit) - hits + 2))

    def loss(line: np.ndarray) -> float:
        log_odds = line[0] * score + line[1]
        return float(np.sum(np.logaddexp(0, log_odds) - target * log_odds))

    best = minimize(loss, np.zeros(2), tol=1e-10).x
    assert [fitted.slope, fitted.intercept] == pytest.approx(best.tolist(), abs=1e-3)
    assert fitted.slope == pytest.approx(2, abs=0.25)
    found = scored.group_by("list").agg(found=pl.col("hit").sum())
    lost = wanted.join(found, on="list").select(pl.col("wanted") - pl.col("found")).to_series().mean()
    assert fitted.missed == pytest.approx(lost)


def test_the_best_rule_is_chosen_and_its_quality_is_the_mean_f_beta() -> None:
    scored, wanted = learnt()
    fitted = Cut(beta=1.0).fit(scored, wanted)
    assert fitted.at.keys() == VALUES.keys()
    assert f"lists end by {fitted.recipe.rule}" in str(fitted)
    assert f"F1 on lists that the ranker had not learnt from: expected {fitted.at['expected']:.4f}" in str(fitted)
    qualities = {}
    for rule, values in VALUES.items():
        for value in values:
            one = FittedCut(
                Cut(beta=1.0, rule=rule, value=None if rule == "expected" else value),  # type: ignore[arg-type]
                fitted.slope, fitted.intercept, fitted.missed, {},
            )  # fmt: skip
            kept = scored.filter(one.keeps(scored["list"], scored["score"]))
            each = [
                2 * kept.filter(list=number)["hit"].sum() / (count + kept.filter(list=number).height)
                for number, count in wanted.iter_rows()
            ]
            qualities[rule, value] = float(np.mean(each))
    assert fitted.at[fitted.recipe.rule] == pytest.approx(max(qualities.values()))
    for rule in VALUES:
        assert fitted.at[rule] == pytest.approx(max(q for (of, _), q in qualities.items() if of == rule))


def test_what_separates_perfectly_has_an_end() -> None:
    scored = pl.DataFrame({"list": [0] * 6, "score": [3.0, 2.0, 1.0, -1.0, -2.0, -3.0], "hit": [1, 1, 1, 0, 0, 0]})
    fitted = Cut().fit(scored, pl.DataFrame({"list": [0], "wanted": [3]}))
    assert np.isfinite([fitted.slope, fitted.intercept]).all()
    assert max(fitted.at.values()) == 1.0
    assert fitted.keeps(scored["list"], scored["score"]).to_list() == [True] * 3 + [False] * 3


@settings(max_examples=20)
@given(LISTS)
def test_every_list_keeps_one(lists: list[list[float]]) -> None:
    of, scores = frame(lists)
    for rule, value in product(("threshold", "margin"), (0.0, 1.0)):
        assert set(of.filter(cut(rule, value).keeps(of, scores))) == set(range(len(lists)))


def test_no_candidate_is_no_candidate() -> None:
    empty = pl.Series([], dtype=pl.Int64), pl.Series([], dtype=pl.Float64)
    for rule in VALUES:
        assert cut(rule, None if rule == "expected" else 1.0).keeps(*empty).is_empty()


def test_a_value_without_its_rule_is_an_error() -> None:
    with pytest.raises(ConfigError, match="rule='auto' takes no value"):
        parse(Cut, {"value": 0.5})
    with pytest.raises(ConfigError, match=r"a whole number of items, 1 at least, not 0\.5"):
        parse(Cut, {"rule": "top_k", "value": 0.5})
    for rule in ("margin", "threshold"):
        with pytest.raises(ConfigError, match=rf"a {rule} is a share, from 0 to 1, not 1\.5"):
            parse(Cut, {"rule": rule, "value": 1.5})
