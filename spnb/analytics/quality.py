"""What had to be mended, and how far the numbers can be trusted: it comes with every result."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Quality", "Step"]


@dataclass(frozen=True, slots=True)
class Step:
    """One repair, or one finding.

    Attributes:
        name: the rule, e.g. `no end`.
        table: the table it concerns.
        rows: how many rows.
        action: what was done about them.
    """

    name: str
    table: str
    rows: int
    action: str

    def __str__(self) -> str:
        return f"{self.table}: {self.rows} × {self.name}: {self.action}"


@dataclass(frozen=True, slots=True)
class Quality:
    """All steps of a result, in the order they were taken; steps without rows are left out."""

    steps: tuple[Step, ...] = ()

    @classmethod
    def of(cls, steps: Iterable[Step]) -> Quality:
        """The steps that found something; the same rule on the same table is one step."""
        found: dict[tuple[str, str, str], int] = {}
        for step in steps:
            key = (step.name, step.table, step.action)
            found[key] = found.get(key, 0) + step.rows
        return cls(tuple(Step(name, table, rows, action) for (name, table, action), rows in found.items() if rows))

    def __add__(self, other: Quality) -> Quality:
        return Quality.of((*self.steps, *other.steps))

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __bool__(self) -> bool:
        return bool(self.steps)

    def rows(self, name: str) -> int:
        """How many rows a rule found."""
        return sum(step.rows for step in self.steps if step.name == name)

    @property
    def frame(self) -> pd.DataFrame:
        """The steps as a DataFrame: table, rows, name, action."""
        import pandas as pd

        rows = [(step.table, step.rows, step.name, step.action) for step in self.steps]
        return pd.DataFrame(rows, columns=["table", "rows", "name", "action"])

    def __str__(self) -> str:
        return "\n".join(map(str, self.steps)) or "nothing had to be mended"

    def _repr_html_(self) -> str:
        lines = "".join(f"<li>{escape(str(step))}</li>" for step in self.steps)
        return f"<ul>{lines}</ul>" if lines else "<p>Nothing had to be mended.</p>"
