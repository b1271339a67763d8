"""The command line: `shortlist demo | fit | evaluate | recommend | predict | similar | compare | report | check | ...`.

Answers go to stdout, as text or as JSON; progress and messages go to stderr. What the commands do is in `commands`,
which is imported when one runs, so that `--help` answers at once.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from shortlist.errors import ConfigError, DataError, MissingExtraError, ShortlistError, StoreError
from shortlist.progress import shown

if TYPE_CHECKING:
    from shortlist.commands import Answer, Say

EXIT_CODES: dict[type[ShortlistError], int] = {
    ConfigError: 3,
    DataError: 4,
    StoreError: 5,
    MissingExtraError: 6,
}
LEAKS = 7
"""The exit code of `check` where it found a leak."""
_EPILOG = """\b
Exit codes:
  0    fine
  1    something unexpected
  2    a command that does not exist, or is written wrongly
  3    settings or options that cannot be meant
  4    data that cannot be used as they are
  5    a directory that is not a stored run
  6    an optional package is missing
  7    leaks found, by check
  130  stopped by Ctrl-C
"""

app = typer.Typer(
    name="shortlist",
    help="Ranked lists from tables of what happened: retrieve, rank, judge honestly. Start with `shortlist demo`.",
    epilog=_EPILOG,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

sets = typer.Typer(
    name="data",
    help="Public sets of real data, from their official addresses, with a checksum.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(sets)

AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no messages, only the answer and errors.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="PATH=VALUE", help="Change a setting, such as pipeline.ranker.rounds=200. Repeatable."
    ),
]
TargetColumn = Annotated[
    str | None,
    typer.Option("--target", help="For predictions: the column that was predicted.", show_default="target or rating"),
]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="The directory of a stored run or pipeline.")]


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Where the run is stored.")] = Path("runs/demo"),
    at: Annotated[
        str | None, typer.Option(help="First day of the week that is judged.", show_default="2017-11-27")
    ] = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Fit and judge a two-stage pipeline on a real year of grocery purchases.

    \b
    Example:
      shortlist demo --out runs/demo
    """  # noqa: D301
    with _answering(quiet):
        from shortlist import commands

        _answer(commands.demo(out, at, overrides or ()), as_json)


@app.command()
def fit(
    config: Annotated[Path, typer.Option("--config", "-c", help="The settings, or a stored run to do again.")] = Path(
        "shortlist.toml"
    ),
    overrides: Overrides = None,
    out: Annotated[Path | None, typer.Option(help="Where the run is stored; else where the settings say.")] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Fit a pipeline or a regression, judge it beside the baselines, and store it all as one run.

    \b
    Example:
      shortlist fit --config shortlist.toml --set split.test=14d --out runs/today
    \b
    The smallest shortlist.toml:
      [data]
      events = "purchases.parquet"
      [split]
      kind = "by_time"
      test = "7d"
      [[pipeline.retrievers]]
      kind = "popular"
    \b
    For ratings, in place of the last two lines, and split.kind = "at_random":
      [regression]
    """  # noqa: D301
    with _answering(quiet):
        from shortlist import commands

        _answer(commands.fit(config, overrides or (), out), as_json)


@app.command()
def evaluate(
    target: Annotated[
        Path, typer.Argument(metavar="RUN|FILE", help="A stored run, or a file of anybody's lists or predictions.")
    ],
    truth: Annotated[
        Path | None, typer.Option(help="For FILE: a file of user_id, item_id; for predictions, of ids and the target.")
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            help="For FILE: what is measured; see `shortlist metrics`.",
            show_default="map@12,ndcg@12,recall@12,hit_rate@12; for predictions rmse,mae,r2,spearman,calibration_error",
        ),
    ] = None,
    history: Annotated[
        Path | None,
        typer.Option(help="For FILE: the events before the test; baselines are made of them and stand in the table."),
    ] = None,
    items: Annotated[
        Path | None, typer.Option(help="For lists: a table of item_id and labels such as type or genre, for diversity.")
    ] = None,
    target_column: TargetColumn = None,
    catalogue: Annotated[int | None, typer.Option(min=1, help="For lists: items there are, for coverage.")] = None,
    seed: Annotated[int, typer.Option(help="For FILE: seed of the bootstrap.")] = 0,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Judge a stored run again, or a file of lists or predictions, with 95 % intervals and beside baselines.

    Lists are user_id, item_id, rank; predictions are ids and a column prediction.

    \b
    Examples:
      shortlist evaluate runs/today
      shortlist evaluate lists.csv --truth truth.csv --history events.parquet --metrics map@12,ndcg@10
      shortlist evaluate predictions.csv --truth ratings.csv --target rating --metrics rmse,mae
    """  # noqa: D301
    with _answering(quiet) as say:
        from shortlist import commands

        if target.is_file():
            if truth is None:
                raise ConfigError(f"{str(target)!r} is a file: say what is true with --truth truth.csv")
            answer = commands.evaluate_file(target, truth, metrics, history, items, target_column, catalogue, seed)
        else:
            if (truth, metrics, history, items, target_column, catalogue) != (None,) * 6:
                raise ConfigError(
                    "a run brings its own truth and metrics: "
                    "--truth, --metrics, --history, --items, --target, --catalogue go with a file"
                )
            answer = commands.evaluate_run(target, say)
        _answer(answer, as_json)


@app.command()
def recommend(
    run: RunPath,
    users: Annotated[str | None, typer.Option(metavar="ID,ID,...", help="The users, by id.")] = None,
    users_file: Annotated[Path | None, typer.Option(help="A file with a column user_id.")] = None,
    everyone: Annotated[bool, typer.Option("--all", help="Every user that the run knows.")] = False,
    k: Annotated[int | None, typer.Option("--k", "-k", min=1, help="Length of a list; else that of the run's.")] = None,
    filter_seen: Annotated[
        bool | None, typer.Option("--filter-seen/--keep-seen", help="Leave out what a user had; else as the run does.")
    ] = None,
    exclude_file: Annotated[Path | None, typer.Option(help="A file of user_id, item_id never to show.")] = None,
    events_file: Annotated[
        Path | None,
        typer.Option(
            "--events",
            metavar="FILE",
            help="user_id, item_id, weight, timestamp: all that these users did, in place of what the run knows.",
        ),
    ] = None,
    new_items: Annotated[
        Path | None, typer.Option(metavar="FILE", help="item_id and attributes of items that came after the fit.")
    ] = None,
    new_users: Annotated[
        Path | None, typer.Option(metavar="FILE", help="user_id and attributes of users (topics) that came after it.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write .parquet, .csv or .jsonl; else a table is shown.")] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Ranked lists from a stored run: user_id, item_id, rank, score, source.

    A file is written some users at a time, so that memory stays bounded whatever their number. With --events the users
    of the file are answered, known or not, by what they did since; without a ranker, and by retrievers that can. With
    --new-items these are answered too, by retrievers that know items by their attributes ("next",
    "text_search", "text_match"); with --new-users these are asked for, and answered by their texts (the latter two).

    \b
    Examples:
      shortlist recommend runs/today --users 1,2,3 --k 5
      shortlist recommend runs/today --all --out lists.parquet
      shortlist recommend runs/today --events this-morning.csv --out lists.parquet
      shortlist recommend runs/topics --new-users topics.csv --out contents.parquet
    """  # noqa: D301
    with _answering(quiet) as say:
        from shortlist import commands

        told = commands.Told(exclude_file, events_file, new_items, new_users)
        _answer(commands.recommend(run, users, users_file, everyone, k, filter_seen, told, out, say), as_json)


@app.command()
def predict(
    run: RunPath,
    pairs: Annotated[
        Path | None, typer.Option(help="A file of user_id, item_id; for a tabular regression, of its columns.")
    ] = None,
    user: Annotated[str | None, typer.Option(metavar="ID", help="In place of a file: one user, with --items.")] = None,
    items: Annotated[str | None, typer.Option(metavar="ID,ID,...", help="The items, by id.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write .parquet, .csv or .jsonl; else a table is shown.")] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """How much: user_id, item_id, prediction, and where the model knows them the ends of an interval, low and high.

    For a run of a [regression]. The order of the pairs is kept. An id that is not known is answered as one of whom
    nothing is known but what all have in common, and the attributes of the items and users table.

    \b
    Examples:
      shortlist predict runs/ratings --pairs pairs.csv --out predictions.parquet
      shortlist predict runs/ratings --user 7 --items 1,2,3
    """  # noqa: D301
    with _answering(quiet) as say:
        from shortlist import commands

        _answer(commands.predict(run, pairs, user, items, out, say), as_json)


@app.command()
def similar(
    run: RunPath,
    items: Annotated[str | None, typer.Option(metavar="ID,ID,...", help="The items, by id.")] = None,
    users: Annotated[str | None, typer.Option(metavar="ID,ID,...", help="In place of items: the users, by id.")] = None,
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="How many for each.")] = 10,
    out: Annotated[Path | None, typer.Option(help="Write .parquet, .csv or .jsonl; else a table is shown.")] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """What is most like some items, or some users, as a stored run knows it: similar_id, rank, score.

    The first of its models answers that knows what is alike.

    \b
    Examples:
      shortlist similar runs/today --items 1,2,3 --k 5
      shortlist similar runs/today --users 7
    """  # noqa: D301
    with _answering(quiet) as say:
        from shortlist import commands

        _answer(commands.similar(run, items, users, k, out, say), as_json)


@app.command()
def compare(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN [RUN|RECIPE|LISTS]... | EVENTS...",
            help="A run or recipe first, all else beside it; or with --models the events, in one file or more.",
        ),
    ],
    models: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND[:KEY=VALUE]...,...", help="Models to fit on the events, such as als:factors=128,popular."
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="KIND[:KEY=VALUE]...",
            help="With --models: by_time, last_n, by_user, by_item, at_random, by_column or k_fold; by_time:test=14d.",
            show_default="last_n:n=1 where there are times, else at_random:share=0.2",
        ),
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(help="With --models: what is measured.", show_default="ndcg@10,recall@10,map@10,coverage@10"),
    ] = None,
    items: Annotated[Path | None, typer.Option(help="With --models: what is known of the items.")] = None,
    users: Annotated[Path | None, typer.Option(help="With --models: what is known of the users.")] = None,
    columns: Annotated[
        str | None,
        typer.Option(metavar="OURS=THEIRS,...", help="With --models: columns of the events without a usual name."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="With --models: seed of all draws.", show_default="0")] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Runs, recipes and lists side by side on the truth of the first, with paired differences to it.

    A recipe (.toml) is fitted first and stored where it says. The baselines of the first stand in the table. With
    --models, models are fitted on a table of events in place of that, and judged on the last event of each user; each
    in a process of its own, so that its seconds and the peak of its memory stand beside its quality.

    \b
    Examples:
      shortlist compare runs/today runs/yesterday other.toml their_lists.parquet
      shortlist compare events.parquet --models als,als:factors=128,ease,item_knn,popular
      shortlist compare ratings.csv --models bpr,popular --split at_random:share=0.1 --metrics ndcg@20
    """  # noqa: D301
    with _answering(quiet):
        from shortlist import commands

        if models is None:
            if (split, metrics, items, users, columns, seed) != (None,) * 6:
                raise ConfigError(
                    "--split, --metrics, --items, --users, --columns and --seed go with --models: "
                    "a run brings its own truth and metrics"
                )
            answer = commands.compare(paths)
        else:
            answer = commands.compare_models(paths, models, split, metrics, items, users, columns, seed or 0)
        _answer(answer, as_json)


@sets.command("get")
def get_set(
    name: Annotated[str, typer.Argument(help="Such as movielens-100k; see `shortlist data list`.")],
    folder: Annotated[Path, typer.Option(help="Where sets are kept, each in a folder of its name.")] = Path("data"),
    source: Annotated[
        str | None, typer.Option("--from", metavar="FILE|ADDRESS", help="An archive that is there, or another address.")
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Fetch a public set and make tables of it: events, items, users. What is there already is not fetched again.

    \b
    Examples:
      shortlist data get movielens-100k
      shortlist data get movielens-1m --from Downloads/ml-1m.zip
    """  # noqa: D301
    with _answering(quiet):
        from shortlist import commands

        _answer(commands.get_set(name, folder, source), as_json)


@sets.command("list")
def list_sets(as_json: AsJson = False) -> None:
    """The public sets that there are, with their addresses and what their makers ask."""
    with _answering(quiet=True):
        from shortlist import commands

        _answer(commands.list_sets(), as_json)


@app.command(hidden=True)
def trial(
    config: Annotated[Path, typer.Argument(help="The settings.")],
    out: Annotated[Path, typer.Option(help="Where the lists are written: a .parquet.")],
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Fit, write the lists of the users of the test part, and tell the seconds and the memory: a part of `compare`."""
    with _answering(quiet):
        from shortlist import commands

        _answer(commands.trial(config, out), as_json)


@app.command()
def report(
    target: Annotated[Path, typer.Argument(metavar="RUN|PREDICTIONS", help="A stored run, or a file of predictions.")],
    truth: Annotated[Path | None, typer.Option(help="For PREDICTIONS: a file of the same ids and the target.")] = None,
    target_column: TargetColumn = None,
    out: Annotated[
        Path | None, typer.Option(help="Where it is written.", show_default="beside it: RUN-report.html")
    ] = None,
    form: Annotated[
        str | None, typer.Option("--format", metavar="html|md|json", help="Else the ending of --out says it.")
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Write what a run found as one page: figures with intervals, candidates, slices, users, data, recipe.

    Of predictions: figures with intervals, calibration, residuals. The page needs no network and no other file.

    \b
    Examples:
      shortlist report runs/today
      shortlist report runs/today --out report.md
      shortlist report predictions.csv --truth ratings.csv --target rating
    """  # noqa: D301
    with _answering(quiet):
        from shortlist import commands

        if target.is_file():
            if truth is None:
                raise ConfigError(f"{str(target)!r} is a file: say what is true with --truth ratings.csv")
            answer = commands.report_predictions(target, truth, target_column, out, form)
        elif truth is not None or target_column is not None:
            raise ConfigError("a run brings its own truth: --truth and --target go with a file of predictions")
        else:
            answer = commands.report(target, out, form)
        _answer(answer, as_json)


@app.command()
def metrics(
    name: Annotated[str | None, typer.Argument(help="One metric, such as map@12, to be told in full.")] = None,
    as_json: AsJson = False,
) -> None:
    """The metrics that there are, or the whole definition of one: formula, choices, source.

    \b
    Examples:
      shortlist metrics
      shortlist metrics ndcg
    """  # noqa: D301
    with _answering(quiet=True):
        from shortlist import commands

        _answer(commands.metrics(name), as_json)


@app.command()
def check(
    target: Annotated[
        Path | None,
        typer.Argument(
            metavar="[SETTINGS|RUN]", help="A shortlist.toml, or a stored run.", show_default="shortlist.toml"
        ),
    ] = None,
    train: Annotated[Path | None, typer.Option(help="In place of SETTINGS: the events that are learnt from.")] = None,
    test: Annotated[Path | None, typer.Option(help="With --train: the events that are judged on.")] = None,
    users: Annotated[Path | None, typer.Option(help="With --train: what is known of the users.")] = None,
    items: Annotated[Path | None, typer.Option(help="With --train: what is known of the items.")] = None,
    column: Annotated[
        str | None,
        typer.Option("--target", help="The events' column that is to be predicted.", show_default="the weight, if any"),
    ] = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Look for leaks between what is learnt from and what is judged on; exit code 7 where there are some.

    It looks at the data: events and columns that see past the cut, pairs, groups and texts on both sides, order that
    only ids decide, columns made from the target.

    \b
    Examples:
      shortlist check shortlist.toml
      shortlist check runs/today --json
      shortlist check --train train.parquet --test test.parquet --items items.parquet --target rating
    """  # noqa: D301
    with _answering(quiet):
        from shortlist import commands

        if train is None and test is None:
            if users is not None or items is not None:
                raise ConfigError("--users and --items go with --train and --test: settings name their own tables")
            answer = commands.check(target or Path("shortlist.toml"), overrides or (), column)
        else:
            if train is None or test is None:
                raise ConfigError("two tables are needed: --train train.parquet --test test.parquet")
            if target is not None or overrides:
                raise ConfigError("give either settings or a run, or --train and --test, not both")
            answer = commands.check_tables(train, test, users, items, column)
        _answer(answer, as_json)
        if not answer.data["clean"]:
            raise typer.Exit(LEAKS)


@app.command()
def schema() -> None:
    """The JSON Schema of shortlist.toml, by which editors complete and check it.

    \b
    Example:
      shortlist schema > shortlist.schema.json
    """  # noqa: D301
    with _answering(quiet=True):
        from shortlist import commands

        typer.echo(commands.schema())


@contextmanager
def _answering(quiet: bool) -> Iterator["Say"]:
    """Shows progress inside, gives a way to say something on stderr, and turns errors into messages and exit codes."""
    console = Console(stderr=True)

    def say(message: str) -> None:
        if not quiet:
            typer.echo(message, err=True)

    try:
        with nullcontext() if quiet else shown(console):
            yield say
    except ShortlistError as error:
        typer.echo(f"shortlist: {error}", err=True)
        raise typer.Exit(next((code for kind, code in EXIT_CODES.items() if isinstance(error, kind)), 1)) from None
    except KeyboardInterrupt:
        typer.echo("shortlist: stopped", err=True)
        raise typer.Exit(130) from None
    except BrokenPipeError:
        raise
    except OSError as error:
        typer.echo(f"shortlist: {error}", err=True)
        raise typer.Exit(1) from None


def _answer(answer: "Answer", as_json: bool) -> None:
    typer.echo(json.dumps(answer.data, default=str) if as_json else answer.text)


def main() -> None:
    """What the command `shortlist` runs."""
    app()
