"""The page of predicted numbers: metrics, whether they can be taken at their word, and where they are off."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from shortlist.evaluation.predictions import PredictionEvaluation
from shortlist.reporting import charts, numbers
from shortlist.reporting.blocks import Figure, Page, Panel, Section, Table
from shortlist.reporting.finding import finding
from shortlist.reporting.quality import differences_section, metrics_section

_BINS = 30
_BANDS = 20


def page_of_predictions(found: PredictionEvaluation, *, title: str) -> Page:
    """The page of predictions that were judged; the first metric is the one that counts."""
    judged = found.to_dict()
    drawn = "users" if "user_id" in found.rows.columns else "rows"
    lead = f"{numbers.count(found.rows.height)} rows judged."
    if found.rows_without_prediction:
        lead += f" {numbers.count(found.rows_without_prediction)} had no prediction and count as the mean."
    metric = judged["table"][0]["metric"]
    told = finding(judged, metric, units=found.units, drawn=drawn)
    sections = (
        metrics_section(judged, lead=lead, drawn=drawn),
        differences_section(judged, drawn=drawn),
        calibration_section(found.calibration().to_dicts()),
        residuals_section(found.rows),
    )
    return Page(
        title=title,
        headline=told.headline if told else f"{metric}, without a baseline to be against",
        standfirst=told.evidence if told else "",
        sections=tuple(section for section in sections if section is not None),
    )


def calibration_section(rows: Sequence[Mapping[str, Any]]) -> Section:
    """Whether a prediction means what it says: for each bin `rows`, mean `prediction` and mean `truth`."""
    worst = max(rows, key=lambda row: abs(row["truth"] - row["prediction"]))
    told = (
        f"Furthest off: rows predicted {numbers.value(worst['prediction'])} on average came to "
        f"{numbers.value(worst['truth'])}."
    )
    figure = Figure(
        caption=f"Mean truth of rows with like predictions; on the dashed line both are equal. {told}",
        panels=(Panel(charts.calibration(rows), f"Mean truth against mean prediction in {len(rows)} bins. {told}"),),
        table=Table(
            ("rows", "mean prediction", "mean truth"),
            tuple(
                (numbers.count(row["rows"]), numbers.value(row["prediction"]), numbers.value(row["truth"]))
                for row in rows
            ),
        ),
        wide=True,
    )
    return Section("calibration", "Calibration", "What is predicted, beside what it came to on average.", (figure,))


def residuals_section(rows: pl.DataFrame) -> Section:
    """How far off single rows are: truth minus prediction, of a frame with both."""
    residual = (rows["truth"] - rows["prediction"]).to_numpy()
    counts, edges = np.histogram(residual, bins=_BINS)
    bars = [
        {"start": float(start), "end": float(end), "count": int(count)}
        for start, end, count in zip(edges[:-1], edges[1:], counts, strict=True)
    ]
    band = _by_prediction(rows["prediction"].to_numpy(), residual)
    low, middle, high = (float(value) for value in np.quantile(residual, [0.1, 0.5, 0.9]))
    told = f"Eight rows in ten lie between {numbers.signed(low)} and {numbers.signed(high)}, half above "
    told += f"{numbers.signed(middle)}."
    by_size = Figure(
        caption=f"Truth minus prediction. {told}",
        panels=(Panel(charts.histogram(bars, of="truth minus prediction"), f"Histogram of the residuals. {told}"),),
        table=Table(
            ("from", "to", "rows"),
            tuple((numbers.value(b["start"]), numbers.value(b["end"]), numbers.count(b["count"])) for b in bars),
        ),
        wide=True,
    )
    by_prediction = Figure(
        caption="Median residual of rows with like predictions; eight in ten lie in the band.",
        panels=(
            Panel(
                charts.band(band, x="prediction", y="truth minus prediction"),
                f"Median residual by prediction, from {numbers.signed(band[0]['middle'])} at "
                f"{numbers.value(band[0]['place'])} to {numbers.signed(band[-1]['middle'])} at "
                f"{numbers.value(band[-1]['place'])}.",
            ),
        ),
        table=Table(
            ("median prediction", "a tenth below", "median", "a tenth above"),
            tuple(
                (numbers.value(b["place"]), *(numbers.signed(b[name]) for name in ("low", "middle", "high")))
                for b in band
            ),
        ),
        wide=True,
    )
    return Section("residuals", "Residuals", "How far single rows are off.", (by_size, by_prediction))


def _by_prediction(predicted: np.ndarray, residual: np.ndarray) -> list[dict[str, Any]]:
    """For about equally many rows of like predictions: median prediction, and quantiles of the residual."""
    order = np.argsort(predicted, kind="stable")
    found = []
    for part in np.array_split(order, min(_BANDS, len(order))):
        low, middle, high = np.quantile(residual[part], [0.1, 0.5, 0.9])
        place = float(np.median(predicted[part]))
        found.append({"place": place, "low": float(low), "middle": float(middle), "high": float(high)})
    return found
