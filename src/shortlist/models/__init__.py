"""The retrievers by name: what a recipe's `kind` may be."""

from collections.abc import Iterable
from typing import Annotated, get_args, get_type_hints

from pydantic import Field

from shortlist.dataset.texts import Text
from shortlist.dataset.vocabulary import Vocabulary
from shortlist.models.als import ALS, FittedALS
from shortlist.models.bpr import BPR, FittedBPR
from shortlist.models.covisit import CoVisit, FittedCoVisit
from shortlist.models.ease import EASE
from shortlist.models.graph_filter import GraphFilter
from shortlist.models.heads import FittedHeads
from shortlist.models.item_knn import ItemKNN
from shortlist.models.item_to_item import FittedItemToItem
from shortlist.models.matrix_factorization import FittedMatrixFactorization, MatrixFactorization
from shortlist.models.next import FittedNext, Next
from shortlist.models.popular import FittedPopular, Popular
from shortlist.models.pretrained import FittedPretrained, Pretrained
from shortlist.models.repurchase import FittedRepurchase, Repurchase
from shortlist.models.same_attribute import FittedSameAttribute, SameAttribute
from shortlist.models.text_encoders import FittedNGrams, NGrams
from shortlist.models.text_match import FittedTextMatch, TextMatch
from shortlist.models.text_search import FittedTextSearch, TextSearch
from shortlist.models.user_knn import FittedUserKNN, UserKNN
from shortlist.training.plan import Training

AnyRetriever = Annotated[
    Popular
    | Repurchase
    | CoVisit
    | SameAttribute
    | UserKNN
    | ItemKNN
    | EASE
    | GraphFilter
    | ALS
    | BPR
    | MatrixFactorization
    | Next
    | TextSearch
    | TextMatch,
    Field(discriminator="kind"),
]

KINDS: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        *(Popular, Repurchase, CoVisit, SameAttribute, UserKNN, ItemKNN, EASE, GraphFilter, ALS, BPR),
        *(MatrixFactorization, FittedMatrixFactorization, Next, FittedNext, Vocabulary, Training),
        *(FittedPopular, FittedRepurchase, FittedCoVisit, FittedSameAttribute, FittedUserKNN),
        *(FittedItemToItem, FittedALS, FittedBPR, Text, TextSearch, FittedTextSearch),
        *(TextMatch, FittedTextMatch, FittedHeads, NGrams, FittedNGrams, Pretrained, FittedPretrained),
    )
}
"""Every recipe and fitted model of this room, for the store."""


def able(attribute: str) -> list[str]:
    """The names of the recipes whose fitted model has an attribute, such as `folds_in` or `similar_items`.

    >>> able("similar_users")
    ['ALS', 'BPR', 'MatrixFactorization', 'Next', 'TextMatch', 'TextSearch']
    """
    recipes = get_args(get_args(AnyRetriever)[0])
    return sorted(recipe.__name__ for recipe in recipes if hasattr(get_type_hints(recipe.fit)["return"], attribute))


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
