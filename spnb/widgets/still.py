"""What a widget shows, as a page's still: for notebooks that are saved or exported, where no kernel is and no model."""

from __future__ import annotations

import contextlib
from collections.abc import Coroutine, Iterable, Sequence
from concurrent.futures import TimeoutError as NotYet
from datetime import UTC, datetime
from html import escape
from typing import Any

from spnb._loop import is_background, spawn
from spnb.errors import SpnbError
from spnb.widgets.base import Widget

__all__ = ["Still", "counted", "named", "still", "table"]

PATIENCE_SECONDS = 1.0
"""How long showing a widget may wait for what its still is to tell."""
CELL = "style='text-align:left;padding:2px 14px 2px 0;vertical-align:top'"


class Still(Widget):
    """A widget whose last state can be kept as HTML; a saved notebook keeps the state in which it was shown."""

    def to_html(self) -> str:
        """What the widget shows now, as HTML with its moment: no script, no network, no address that is secret.

        Titles and names are text in it, whatever they hold. `display(HTML(widget.to_html()))` in a last cell keeps it
        in the notebook's file.
        """
        raise NotImplementedError

    def _wait_for(self, reading: Coroutine[Any, Any, Any]) -> None:
        """Have something read before it is told of, where that is soon done."""
        if is_background():
            reading.close()
            return
        with contextlib.suppress(NotYet, SpnbError):
            spawn(reading).result(PATIENCE_SECONDS)

    def _repr_mimebundle_(self, **keywords: Any) -> Any:
        bundle = super()._repr_mimebundle_(**keywords)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        if isinstance(data, dict):
            data["text/html"] = self.to_html()
            data["text/plain"] = self._as_text()
        return bundle


def still(title: str, *parts: str) -> str:
    """A still: its title as text, its parts as HTML, and the moment it is of."""
    moment = f"<p><small>As of {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC: run the cell for what is so now.</small></p>"
    return f"<section><h3 dir='auto'>{escape(title)}</h3>{''.join(parts)}{moment}</section>"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of HTML cells under heads of text."""
    head = "".join(f"<th scope='col' {CELL}>{escape(name)}</th>" for name in heads)
    lines = "".join(f"<tr>{''.join(f'<td {CELL}>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"


def named(text: str) -> str:
    """What a user wrote, as text in its own direction."""
    return f"<bdi>{escape(text)}</bdi>"


def counted(number: int, thing: str) -> str:
    """So many of a thing, in words: `1 stream`, `1,200 streams`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
