"""Finding: what a run comes to in one sentence, whichever way it went."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from shortlist.evaluation.metrics import parse_metric
from shortlist.reporting import numbers

Verdict = Literal["better", "worse", "undecided"]
LEVEL = 0.05
"""The p-value below which a difference is believed."""


@dataclass(frozen=True)
class Finding:
    """The model against the strongest baseline, by one metric; the difference is paired over the users."""

    model: str
    baseline: str
    metric: str
    value: float
    against: float
    """What the baseline comes to."""
    difference: float
    low: float | None
    high: float | None
    p: float | None
    """After Holm's correction where there is one."""
    detectable: float | None
    """The smallest true difference that this test set shows with a chance of 80 %."""
    units: int
    """How many users or rows the difference is paired over."""
    drawn: str
    """What they are: `users` or `rows`."""
    verdict: Verdict

    @property
    def headline(self) -> str:
        """The finding as a sentence."""
        strongest = f"{self.baseline}, the strongest baseline,"
        if self.verdict == "undecided":
            return f"Between {named(self.model)} and {strongest} no difference can be told in {self.metric}"
        verb = "beats" if self.verdict == "better" else "falls short of"
        by = f"{abs(self.difference / self.against):.1%}".replace("%", " %") if self.against else self._apart
        return f"{named(self.model, first=True)} {verb} {strongest} by {by} in {self.metric}"

    @property
    def evidence(self) -> str:
        """The figures behind it."""
        told = (
            f"{self.metric} is {numbers.value(self.value)} against {numbers.value(self.against)}. "
            f"The paired difference over {numbers.count(self.units)} {self.drawn} is {numbers.signed(self.difference)}"
        )
        details = []
        if self.low is not None:
            details.append(f"95 % interval {numbers.interval(self.low, self.high, sign=True)}")
        if self.p is not None:
            shown = numbers.chance(self.p)
            details.append(f"p {shown}" if shown.startswith("<") else f"p = {shown}")
        told += f" ({', '.join(details)})." if details else "."
        if self.verdict == "undecided" and self.detectable is not None:
            told += f" This test set shows a difference of {numbers.value(self.detectable)} with a chance of 80 %."
        return told

    @property
    def _apart(self) -> str:
        return numbers.value(abs(self.difference))


def named(model: str, *, first: bool = False) -> str:
    """A model in a sentence, or as the first word of one: what bears the name of a file has no article."""
    return f"{'The' if first else 'the'} {model}" if model.isalpha() else model


def finding(evaluation: Mapping[str, Any], metric: str, *, units: int, drawn: str = "users") -> Finding | None:
    """The finding by a metric of the evaluation; None where there is no baseline to be against.

    The strongest baseline is the one that comes closest to what is good by this metric. A difference is believed where
    its interval is on one side of zero and its p-value, if there is one, is below 0.05.
    """
    rows = {row["baseline"]: row for row in evaluation["differences"] if row["metric"] == metric}
    if not rows:
        return None
    values = {row["model"]: row["value"] for row in evaluation["table"] if row["metric"] == metric}
    sign = -1 if parse_metric(metric).family.higher is False else 1
    baseline = max(rows, key=lambda name: (sign * values[name], name))
    row = rows[baseline]
    p = row.get("p_holm", row.get("p"))
    return Finding(
        model=row["model"],
        baseline=baseline,
        metric=metric,
        value=values[row["model"]],
        against=values[baseline],
        difference=row["difference"],
        low=row["low"],
        high=row["high"],
        p=p,
        detectable=row.get("detectable"),
        units=units,
        drawn=drawn,
        verdict=_verdict(sign, row["low"], row["high"], p),
    )


def _verdict(sign: int, low: float | None, high: float | None, p: float | None) -> Verdict:
    if low is None or high is None or low <= 0 <= high or (p is not None and p >= LEVEL):
        return "undecided"
    return "better" if sign * low > 0 else "worse"
