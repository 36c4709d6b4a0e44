"""User content is text wherever it is shown or written: no markup in any output of a notebook, no formula in a file."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from pydantic import ValidationError

import spnb.models as models
from spnb.client.records import Records
from spnb.record import Record

HOSTILE = "<img src=x onerror=alert(1)></td></script><script>alert(2)</script>\"'><a href=javascript:alert(3)>"
RECORDS = [
    found
    for found in vars(models).values()
    if isinstance(found, type) and issubclass(found, Record) and found is not Record
]

REQUIRED = {"watchSeconds", "startTime", "urls"}
"""Made here, never by the service; no text is taken for them."""


class Tags(HTMLParser):
    """The tags and attributes of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.seen |= {f"{tag} {name}" for name, _ in attrs if name.startswith("on") or name in ("href", "src")}


def tags_in(html: str) -> set[str]:
    parser = Tags()
    parser.feed(html)
    return parser.seen


def hostile(kind: type[Record]) -> Any:
    """A record all of whose texts want to be markup; what takes no text keeps its default."""
    names = {field.alias or name: HOSTILE for name, field in kind.model_fields.items()}
    try:
        return kind.model_validate(names)
    except ValidationError as error:
        strict = {part for problem in error.errors() for part in problem["loc"][:1]}
        kept = {
            name: "2026-03-01T18:00:00Z" if "Time" in name else [HOSTILE] if name == "urls" else 1.0
            for name in strict
            if name in REQUIRED
        }
        return kind.model_validate({name: word for name, word in names.items() if name not in strict} | kept)


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_no_record_is_shown_as_markup(kind: type[Record]) -> None:
    record = hostile(kind)
    for html in (record._repr_html_(), Records.of([record, record])._repr_html_()):
        assert not tags_in(html) - {
            "table",
            "caption",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
            "div",
            "p",
            "style",
            "small",
        }
        assert not re.search(r"<script|<img", html)
