"""Metrics as values: what reads back, what is refused."""

import pytest

from shortlist.errors import ConfigError
from shortlist.evaluation.metrics import FAMILIES, Metric, depth, metrics_of, parse_metric

TEXTS = [f"{name}@12" for name in FAMILIES if FAMILIES[name].k != "none" and name != "f_beta"]
TEXTS += [name for name in FAMILIES if FAMILIES[name].k == "none"]
TEXTS += ["f1@10", "f2", "f0.5", "precision", "recall"]


@pytest.mark.parametrize("text", TEXTS)
def test_the_text_of_a_metric_reads_back_as_an_equal_one(text):
    metric = parse_metric(text)
    assert str(metric) == text
    assert parse_metric(f" {text.upper()} ") == metric
    assert hash(parse_metric(text)) == hash(metric)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_states_its_formula_and_its_source(name):
    definition = FAMILIES[name].function.__doc__
    written = {"f_beta": "f2"}.get(name, name) + ("@k" if FAMILIES[name].k == "needed" else "")
    assert f"{written} = " in definition or f"{written}@k = " in definition
    assert "Source: " in definition or name in {"mse", "rmse", "mae"}  # what everybody knows has no source


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("ndgc@10", "did you mean 'ndcg'"),
        ("ndgc", "did you mean 'ndcg'"),
        ("map", "'map@10'"),
        ("map@", "'map@10'"),
        ("map@ten", "'map@10'"),
        ("map@-3", "'map@10'"),
        ("map@0", "first 0 places"),
        ("rmse@5", "no places count"),
        ("f_beta", "there is no metric 'f_beta'"),
        ("f", "there is no metric 'f'"),
        ("", "there is no metric ''"),
    ],
)
def test_a_text_that_is_no_metric_is_refused_with_a_hint(text, told):
    with pytest.raises(ConfigError, match=told):
        parse_metric(text)


@pytest.mark.parametrize("k", [0, -1, 2.5, True, None])
def test_a_metric_never_has_an_impossible_k(k):
    with pytest.raises(ConfigError):
        Metric("map", k)


def test_metrics_may_be_named_as_text_or_values_and_each_counts_once():
    assert metrics_of(["map@12", Metric("map", 12), "mrr@1"]) == [Metric("map", 12), Metric("mrr", 1)]
    assert metrics_of("map@12") == [Metric("map", 12)]
    with pytest.raises(ConfigError, match="no metric to judge by"):
        metrics_of([])
    with pytest.raises(ConfigError, match="rmse judges predicted numbers and map@3 lists"):
        metrics_of(["map@3", "rmse"])


def test_the_depth_is_the_deepest_k_and_none_where_a_whole_list_counts():
    assert depth(metrics_of(["map@12", "recall@50"])) == 50
    assert depth(metrics_of(["map@12", "f2"])) is None
