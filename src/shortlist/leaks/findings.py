"""What the leak checker says: findings, notes, and the checks that could not be made."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CHECKS: Mapping[str, str] = {
    "pairs": "the same pair on both sides",
    "future": "events and columns that see past the cut",
    "order": "time order broken by ids",
    "groups": "one group on both sides",
    "texts": "near-duplicate texts on both sides",
    "targets": "columns made from what is to be found",
}
"""Every check, in the order in which they are made and told."""


@dataclass(frozen=True)
class Finding:
    """Evidence of a leak."""

    check: str
    """One of `CHECKS`."""
    found: str
    """What was found and how much of it."""
    count: int
    """How many rows, users, items or columns; `found` says of what."""
    examples: tuple[str, ...]
    """A few, with the caller's own ids."""
    why: str
    """Why it matters."""
    remedy: str
    """What to do."""

    def __str__(self) -> str:
        such = [f"  such as: {example}" for example in self.examples]
        return "\n".join([f"{CHECKS[self.check]}: {self.found}", *such, f"  why: {self.why}", f"  do: {self.remedy}"])


@dataclass(frozen=True)
class Looked:
    """What one check came to."""

    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    """What is worth knowing and no leak."""
    not_made: str | None = None
    """Why the check could not be made; None where it was."""


@dataclass(frozen=True)
class Findings:
    """What all checks came to. `str` reads plainly, `to_dict` is ready for JSON."""

    split: str
    """What the data say the split is."""
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    made: tuple[str, ...]
    """The checks that were made."""
    not_made: Mapping[str, str]
    """The checks that could not be made, and why."""

    @property
    def clean(self) -> bool:
        """Whether no leak was found."""
        return not self.findings

    def __str__(self) -> str:
        leaks = (
            f"{len(self.findings)} leak{'s' * (len(self.findings) != 1)} found" if self.findings else "no leak found"
        )
        parts = [f"{leaks}, by {len(self.made)} of {len(CHECKS)} checks\n{self.split}"]
        parts += [f"{number}. {finding}" for number, finding in enumerate(self.findings, 1)]
        parts += ["\n".join(f"note: {note}" for note in self.notes)] if self.notes else []
        told = [f"not checked, {CHECKS[check]}: {why}" for check, why in self.not_made.items()]
        return "\n\n".join(parts + (["\n".join(told)] if told else []))

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain lists, dictionaries, numbers, text and None."""
        return {
            "clean": self.clean,
            "split": self.split,
            "findings": [
                {
                    "check": finding.check,
                    "found": finding.found,
                    "count": finding.count,
                    "examples": list(finding.examples),
                    "why": finding.why,
                    "remedy": finding.remedy,
                }
                for finding in self.findings
            ],
            "notes": list(self.notes),
            "made": list(self.made),
            "not_made": dict(self.not_made),
        }
