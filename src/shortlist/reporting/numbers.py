"""Numbers as people read them: `0.2047`, `+0.0127`, `53.5 %`, `p < 0.001`. None is an empty text."""


def value(number: float | None) -> str:
    """Four decimals below ten, fewer above: what a metric comes to."""
    return "" if number is None else f"{number:,.{_decimals(number)}f}"


def signed(number: float | None) -> str:
    """The same with its sign: a difference."""
    if number is None:
        return ""
    told = f"{number:+,.{_decimals(number)}f}"
    return told.replace("-", "\N{MINUS SIGN}")


def interval(low: float | None, high: float | None, *, sign: bool = False) -> str:
    """`0.1928 to 0.2166`; empty where there is no interval."""
    told = signed if sign else value
    return "" if low is None or high is None else f"{told(low)} to {told(high)}"


def share(number: float | None) -> str:
    """A share in per cent: one decimal, two where it is small."""
    if number is None:
        return ""
    per_cent = 100 * number
    return f"{per_cent:.1f} %" if per_cent == 0 or abs(per_cent) >= 0.1 else f"{per_cent:.2g} %"


def chance(p: float | None) -> str:
    """A p-value: three decimals, and no smaller than a thousandth."""
    if p is None:
        return ""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def count(number: float) -> str:
    """A whole number with its thousands apart."""
    return f"{number:,.0f}"


def _decimals(number: float) -> int:
    return 4 if abs(number) < 10 else 2 if abs(number) < 1000 else 0
