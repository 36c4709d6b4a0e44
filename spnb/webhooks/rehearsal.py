"""Rules tried on a recorded chat: what they would have done, and how sure one may be of how often they are wrong."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from spnb._arguments import checked_class
from spnb.errors import InvalidInput
from spnb.webhooks.asked import Asked, Decision

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Line", "Rate", "Rehearsal", "lines_of", "wrong_ones"]

Z = 1.959963984540054
"""The normal distribution's 97.5th percentile: intervals hold 95 %."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A share, counted: so many of so many."""

    count: int
    of: int

    @property
    def share(self) -> float | None:
        """0 to 1; None of nothing."""
        return self.count / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Within which the true share lies, in 95 of 100 cases (Wilson 1927); None of nothing."""
        if not self.of:
            return None
        share, n = self.count / self.of, self.of
        middle = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
        half = Z * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n)) / (1 + Z * Z / n)
        # At the ends it reaches them, but for rounding.
        return (0.0 if self.count == 0 else middle - half, 1.0 if self.count == n else middle + half)

    def __str__(self) -> str:
        if self.share is None or self.interval is None:
            return "of none"
        low, high = self.interval
        return f"{self.count} of {self.of} ({self.share:.1%}, 95 %: {low:.1%} to {high:.1%})"


@dataclass(frozen=True, slots=True)
class Line:
    """A message of a recorded chat."""

    message_id: str
    asked: Asked
    row: dict[str, Any] = field(repr=False)


@checked_class
@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What rules would have done to a recorded chat. Refused and changed messages count as caught."""

    messages: int
    refused: int
    changed: int
    false_alarms: Rate
    """Caught, of those that were fine."""
    misses: Rate
    """Let through, of those that were not."""
    problems: int
    """On how many a rule failed or was late."""
    lines: list[tuple[Line, bool, Decision]] = field(repr=False)
    """Each message, whether it is bad, and what was decided."""

    @classmethod
    def of(cls, lines: Sequence[Line], wrong: Sequence[bool], decisions: Sequence[Decision]) -> Rehearsal:
        """Count."""
        caught = [decision.action == "deny" or bool(decision.data) for decision in decisions]
        fine = [hit for hit, bad in zip(caught, wrong, strict=True) if not bad]
        bad_ones = [hit for hit, bad in zip(caught, wrong, strict=True) if bad]
        return cls(
            len(lines),
            sum(decision.action == "deny" for decision in decisions),
            sum(bool(decision.data) for decision in decisions),
            Rate(sum(fine), len(fine)),
            Rate(len(bad_ones) - sum(bad_ones), len(bad_ones)),
            sum(bool(decision.problem) for decision in decisions),
            list(zip(lines, wrong, decisions, strict=True)),
        )

    @property
    def df(self) -> pd.DataFrame:
        """A row per message: `message_id`, `user_id`, `text`, `bad`, `action` (`allow`, `deny`, `change`), `message`,
        `problem`, and `wrong`: whether it was decided wrongly. Users' content is in it."""
        import pandas as pd

        rows = []
        for line, bad, decision in self.lines:
            action = "change" if decision.data else decision.action
            told = {"message_id": line.message_id, "user_id": line.asked.user_id, "text": line.asked.text, "bad": bad}
            wrong = bad == (action == "allow")
            rows.append(
                {**told, "action": action, "message": decision.message, "problem": decision.problem, "wrong": wrong}
            )
        names = ("message_id", "user_id", "text", "bad", "action", "message", "problem", "wrong")
        return pd.DataFrame(rows, columns=[*names])

    def __repr__(self) -> str:
        problems = f", {self.problems} undecided by a rule's fault" if self.problems else ""
        return (
            f"Rehearsal({self.messages} messages: {self.refused} refused, {self.changed} changed{problems};"
            f" false alarms {self.false_alarms}; misses {self.misses})"
        )


def lines_of(chat: Any) -> list[Line]:
    """The messages of a recorded chat.

    Raises:
        InvalidInput: it has no text.
    """
    return [
        Line(
            str(row.get("message_id") or number),
            Asked(
                "message.shouldCreate",
                str(row.get("user_id") or ""),
                {"channelId": str(row.get("channel_id") or ""), "dataType": "text", "data": {"text": _text(row)}},
            ),
            row,
        )
        for number, row in enumerate(_rows(chat))
    ]


def _text(row: dict[str, Any]) -> str:
    text = row["text"]
    return text if isinstance(text, str) else ""


def _rows(chat: Any) -> Iterable[dict[str, Any]]:
    if isinstance(chat, Sequence) and not isinstance(chat, str | bytes):
        for message in chat:
            text = message if isinstance(message, str) else getattr(message, "text", None)
            if text is None:
                raise InvalidInput(f"a chat is a table with a column `text`, or messages; not {type(message).__name__}")
            names = ("message_id", "user_id", "channel_id")
            yield {"text": text, **{name: getattr(message, name, "") for name in names}}
        return
    import narwhals as nw

    try:
        table = nw.from_native(chat, eager_only=True)
    except TypeError:
        raise InvalidInput(f"a chat is a table with a column `text`, or messages; not {type(chat).__name__}") from None
    if "text" not in table.columns:
        raise InvalidInput(f"the table has no column `text`, but {', '.join(map(str, table.columns))}")
    yield from table.iter_rows(named=True)


def wrong_ones(lines: Sequence[Line], bad: str | Collection[str] | Sequence[bool]) -> list[bool]:
    """Which messages are bad.

    Raises:
        InvalidInput: what tells it does not fit to the chat.
    """
    if isinstance(bad, str):
        if any(bad not in line.row for line in lines):
            raise InvalidInput(f"the chat has no column {bad!r} that says which messages are bad")
        values: list[Any] = [line.row[bad] for line in lines]
    elif isinstance(bad, Set):
        unknown = bad - {line.message_id for line in lines}
        if unknown:
            raise InvalidInput(f"{len(unknown)} of the ids in `bad` are of no message of the chat")
        return [line.message_id in bad for line in lines]
    else:
        values = list(bad)
    if len(values) != len(lines):
        raise InvalidInput(f"{len(lines)} messages and {len(values)} truth values: give one for each")
    if any(value not in (True, False) for value in values):
        raise InvalidInput("whether a message is bad is True or False, for each one")
    return [bool(value) for value in values]
