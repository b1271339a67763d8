"""Sizes: amounts of memory as people write them."""

import re

from shortlist.errors import ConfigError

_UNITS = {"K": 1, "M": 2, "G": 3, "T": 4}


def bytes_of(memory: str) -> int:
    """The bytes of an amount such as "4GB" (10⁹ each) or "512MiB" (2²⁰ each). What is none raises `ConfigError`.

    >>> bytes_of("1.5 GB"), bytes_of("2KiB")
    (1500000000, 2048)
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT])(i?)B\s*", memory, re.IGNORECASE)
    if not found or not float(found[1]):
        raise ConfigError(f"{memory!r} is not an amount of memory: write it as '4GB' or '512MB'")
    return int(float(found[1]) * (1024 if found[3] else 1000) ** _UNITS[found[2].upper()])
