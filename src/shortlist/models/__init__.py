"""The retrievers by name: what a recipe's `kind` may be."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from shortlist.models.als import ALS, FittedALS
from shortlist.models.bpr import BPR, FittedBPR
from shortlist.models.covisit import CoVisit, FittedCoVisit
from shortlist.models.ease import EASE, FittedEASE
from shortlist.models.graph_filter import FittedGraphFilter, GraphFilter
from shortlist.models.item_knn import FittedItemKNN, ItemKNN
from shortlist.models.popular import FittedPopular, Popular
from shortlist.models.repurchase import FittedRepurchase, Repurchase
from shortlist.models.same_attribute import FittedSameAttribute, SameAttribute
from shortlist.models.user_knn import FittedUserKNN, UserKNN

AnyRetriever = Annotated[
    Popular | Repurchase | CoVisit | SameAttribute | UserKNN | ItemKNN | EASE | GraphFilter | ALS | BPR,
    Field(discriminator="kind"),
]

KINDS: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        *(Popular, Repurchase, CoVisit, SameAttribute, UserKNN, ItemKNN, EASE, GraphFilter, ALS, BPR),
        *(FittedPopular, FittedRepurchase, FittedCoVisit, FittedSameAttribute, FittedUserKNN),
        *(FittedItemKNN, FittedEASE, FittedGraphFilter, FittedALS, FittedBPR),
    )
}
"""Every recipe and fitted model of this room, for the store."""


def source_names(retrievers: Iterable[AnyRetriever]) -> list[str]:
    """A name for each retriever: its kind, its column where it has one, a number where two would be called the same.

    >>> source_names([Popular(), Popular(by="age"), Popular(by="age", window="7d")])
    ['popular', 'popular_by_age', 'popular_by_age_2']
    """
    names: list[str] = []
    for retriever in retrievers:
        column = getattr(retriever, "by", None) or getattr(retriever, "column", None)
        name = f"{retriever.kind}_by_{column}" if column else retriever.kind
        number = 1 + sum(
            given == name or (given.startswith(f"{name}_") and given[len(name) + 1 :].isdecimal()) for given in names
        )
        names.append(name if number == 1 else f"{name}_{number}")
    return names
