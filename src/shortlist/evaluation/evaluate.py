"""Evaluate: lists of anybody's making against what the users then took, with intervals and beside baselines.

Who is judged: the users with truth. One of them without a list scores 0; a user with a list but without truth
is left out; both are counted. A number is a mean over the judged users with a 95 % interval by bootstrap over
users (`bootstrap`), and a difference to a baseline is paired: the same users, the same draws (`scoreboard`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from shortlist.errors import ConfigError
from shortlist.evaluation.accuracy import Values
from shortlist.evaluation.background import Background, read_history
from shortlist.evaluation.closeness import Terms
from shortlist.evaluation.judging import judge
from shortlist.evaluation.lists import read_truth
from shortlist.evaluation.metrics import Metric, metrics_of, of_numbers
from shortlist.evaluation.scoreboard import Scoreboard, scoreboard
from shortlist.progress import step


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What was measured. `str` is a table to read, `to_dict` is ready for JSON."""

    scores: Scoreboard
    per_user: pl.DataFrame
    """A row for each judged user, by id: user_id, and the value of each metric that has one for a user."""
    users: int
    """Users judged: those with truth."""
    users_without_list: int
    """Those of them without a list, who score 0."""
    users_without_truth: int
    """Users with a list but no truth, who are left out."""

    @property
    def table(self) -> pl.DataFrame:
        """A row for each model and metric: see `Scoreboard.table`."""
        return self.scores.table

    @property
    def differences(self) -> pl.DataFrame:
        """A row for each baseline and metric: see `Scoreboard.differences`."""
        return self.scores.differences

    def __str__(self) -> str:
        users = (
            f"{self.users:,} users judged, {self.users_without_list:,} of them without a list; "
            f"{self.users_without_truth:,} users without truth left out"
        )
        alone = "" if self.differences.height else f"\n\n{_ALONE}"
        return f"{users}\n\n{self.scores}{alone}"

    def to_dict(self) -> dict[str, Any]:
        """Everything but the values of single users, as plain lists, dictionaries, numbers, text and None."""
        return {
            "users": self.users,
            "users_without_list": self.users_without_list,
            "users_without_truth": self.users_without_truth,
            **self.scores.to_dict(),
        }


def evaluate(
    recommendations: Any,
    truth: Any,
    metrics: Iterable[str | Metric],
    *,
    against: Mapping[str, Any] | None = None,
    catalogue: int | None = None,
    history: Any = None,
    items: Any = None,
    draws: int = 1000,
    seed: int = 0,
    name: str = "model",
) -> Evaluation:
    """The metrics of the lists, with intervals, and their paired differences to the lists in `against`.

    Frames may come from any library that narwhals knows. Lists: `user_id, item_id, rank`, ranks 1, 2, 3, ...;
    further columns are ignored, and `rank` may be missing where no metric looks at it (`f2`). Truth: `user_id,
    item_id`; a pair that stands there twice counts once. `catalogue` is the number of items that could have been shown,
    for `coverage` and `gini`; `history` (`user_id, item_id`) who had what before, for `novelty`, `popularity_bias` and
    `serendipity`; `items` (`item_id` and columns of labels) for `diversity`. `name` is what the tables call the lists.

    Raises `DataError` for a list that shows an item twice or whose ranks have a gap, for ids that are numbers
    on one side and text on the other, for an empty truth; `ColumnError` for a missing column; `ConfigError`
    for a metric that does not exist or lacks what it needs.

    >>> lists = pl.DataFrame({"user_id": [1, 1, 2], "item_id": ["a", "b", "a"], "rank": [1, 2, 1]})
    >>> truth = pl.DataFrame({"user_id": [1, 2], "item_id": ["b", "a"]})
    >>> evaluate(lists, truth, ["mrr@2"]).table["value"].item()
    0.75
    """
    chosen = metrics_of(metrics)
    if name in (against or {}):
        raise ConfigError(f"two models are called {name!r}: give the judged lists another name, or the baseline")
    _check(chosen, {"catalogue": catalogue, "history": history, "items": items})
    background = Background(catalogue, None if history is None else read_history(history), items)
    true = read_truth(truth)
    models = {name: recommendations, **(against or {})}
    judged = {model: judge(frame, true, chosen, background, model) for model, frame in models.items()}
    with step("bootstrap"):
        terms = {
            model: {m: Terms(v[:, None], _mean) for m, v in found.values.items()} for model, found in judged.items()
        }
        scores = scoreboard(terms, {m: found.whole for m, found in judged.items()}, chosen, draws=draws, seed=seed)
    main = judged[name]
    return Evaluation(
        scores=scores,
        per_user=pl.DataFrame({"user_id": true.users, **{str(m): values for m, values in main.values.items()}}),
        users=len(true.users),
        users_without_list=main.users_without_list,
        users_without_truth=main.users_without_truth,
    )


def _check(metrics: list[Metric], given: Mapping[str, Any]) -> None:
    if of_numbers(metrics):
        raise ConfigError(f"{metrics[0]} judges predicted numbers, not lists: use evaluate_predictions")
    for metric in metrics:
        needed = metric.family.needs
        if needed and given[needed] is None:
            raise ConfigError(f"{metric} needs {_NEEDS[needed]}: give {needed}=")
    catalogue = given["catalogue"]
    if catalogue is not None and catalogue < 1:
        raise ConfigError(f"a catalogue of {catalogue} items has nothing to show: give the number of items, from 1")


_NEEDS = {
    "catalogue": "the number of items that could have been shown",
    "history": "who had what before the test, a frame of user_id and item_id",
    "items": "the items' labels, a frame of item_id and columns of text or categories",
}


_ALONE = (
    "No baseline stands beside it, so nobody can tell whether that is good: "
    "give history= (--history), what the users had before, and popularity and repurchase do."
)


def _mean(means: Values) -> Values:
    return means[..., 0]
