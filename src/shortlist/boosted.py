"""Boosted trees come from LightGBM, where it is installed."""

from typing import Any

from shortlist.errors import MissingExtraError


def lightgbm_for(why: str) -> Any:
    """The library; without it, `MissingExtraError`."""
    try:
        import lightgbm
    except ImportError:
        raise MissingExtraError("lightgbm", "rank", why) from None
    return lightgbm
