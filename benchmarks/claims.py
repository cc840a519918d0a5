"""What is claimed about speed and size, what was measured, and whether the claim holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Claim:
    """One line of the table: `what`, in `unit`, is at least, at most or below `bar`."""

    name: str
    what: str
    unit: str
    relation: Literal["at least", "at most", "below"]
    bar: float

    def holds_for(self, value: float) -> bool:
        """Whether a measured value clears the bar."""
        if self.relation == "at least":
            return value >= self.bar
        return value <= self.bar if self.relation == "at most" else value < self.bar


@dataclass(frozen=True)
class Figure:
    """What was measured for a claim; `note` says in few words what the value is made of, `details` goes to the file."""

    value: float
    note: str = ""
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Line:
    """A claim with its figure, or with the reason why there is none."""

    claim: Claim
    figure: Figure | None
    failure: str = ""

    @property
    def holds(self) -> bool:
        """Whether the claim was measured and holds."""
        return self.figure is not None and self.claim.holds_for(self.figure.value)
