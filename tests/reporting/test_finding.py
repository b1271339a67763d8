"""What a run comes to, whichever way it went."""

from typing import Any

from shortlist.reporting.finding import Finding, finding


def told(low: float, high: float, p: float | None = 0.0001, **more: Any) -> Finding | None:
    """The finding of a model of 0.22 beside a weak baseline of 0.1 and a strong one of 0.2."""
    table = [("pipeline", 0.22), ("weak", 0.1), ("strong", 0.2)]
    evaluation = {
        "table": [{"model": model, "metric": "map@5", "value": value} for model, value in table],
        "differences": [
            {
                "model": "pipeline",
                "baseline": baseline,
                "metric": "map@5",
                "difference": 0.22 - value,
                "low": low,
                "high": high,
                **({} if p is None else {"p": p, "p_holm": 2 * p, "detectable": 0.03}),
            }
            for baseline, value in table[1:]
        ],
    }
    return finding(evaluation | more, "map@5", units=1234)


def test_a_difference_above_zero_beats_the_strongest_baseline() -> None:
    found = told(0.01, 0.03)
    assert found is not None
    assert found.headline == "The pipeline beats strong, the strongest baseline, by 10.0 % in map@5"
    assert found.evidence == (
        "map@5 is 0.2200 against 0.2000. The paired difference over 1,234 users is +0.0200 "
        "(95 % interval +0.0100 to +0.0300, p < 0.001)."
    )


def test_an_interval_across_zero_or_a_high_p_tells_no_difference_and_what_could_be_seen() -> None:
    for found in (told(-0.01, 0.03), told(0.001, 0.03, p=0.03)):  # the latter is 0.06 after Holm
        assert found is not None
        assert found.headline.startswith("Between the pipeline and strong, the strongest baseline, no difference")
        assert "shows a difference of 0.0300 with a chance of 80 %" in found.evidence


def test_a_difference_below_zero_falls_short() -> None:
    found = told(-0.03, -0.01)
    assert found is not None
    assert found.headline.startswith("The pipeline falls short of strong")


def test_without_a_p_value_the_interval_decides() -> None:
    found = told(0.01, 0.03, p=None)
    assert found is not None
    assert found.verdict == "better"
    assert "p <" not in found.evidence


def test_where_less_is_better_the_strongest_baseline_has_the_least_and_less_beats_it() -> None:
    rows = [("ours.csv", 0.8), ("mean", 1.2), ("median", 1.0)]
    evaluation = {
        "table": [{"model": model, "metric": "rmse", "value": value} for model, value in rows],
        "differences": [
            {
                "model": "ours.csv",
                "baseline": name,
                "metric": "rmse",
                "difference": 0.8 - value,
                "low": -0.3,
                "high": -0.1,
            }
            for name, value in rows[1:]
        ],
    }
    found = finding(evaluation, "rmse", units=5, drawn="rows")
    assert found is not None
    assert found.headline == "ours.csv beats median, the strongest baseline, by 20.0 % in rmse"
    assert "over 5 rows" in found.evidence


def test_without_a_baseline_there_is_no_finding() -> None:
    assert told(0.01, 0.03, differences=[]) is None


def test_a_baseline_of_nothing_is_beaten_by_the_difference_itself() -> None:
    evaluation = {
        "table": [
            {"model": "pipeline", "metric": "map@5", "value": 0.1},
            {"model": "b", "metric": "map@5", "value": 0.0},
        ],
        "differences": [
            {"model": "pipeline", "baseline": "b", "metric": "map@5", "difference": 0.1, "low": 0.05, "high": 0.2}
        ],
    }
    found = finding(evaluation, "map@5", units=9)
    assert found is not None
    assert "by 0.1000 in map@5" in found.headline
