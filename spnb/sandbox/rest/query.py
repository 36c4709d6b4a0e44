"""Query strings as the SDKs write them: bracketed, indexed or repeated keys, and page tokens."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl

import orjson

from spnb.sandbox.rest.refused import Refused
from spnb.sandbox.rooms.ports import Json
from spnb.sandbox.store import Accept, Collection, Page

__all__ = ["PageWish", "Query", "page_by", "paging", "sliced"]


@dataclass(frozen=True, slots=True)
class PageWish:
    """Which part of a list is asked for."""

    limit: int
    start: int | None = None


class Query:
    """Parsed query parameters: `statuses[]=`, `statuses[0]=`, `statuses=` are one; `options[limit]=` is nested."""

    def __init__(self, raw: bytes) -> None:
        self._lists: dict[str, list[str]] = {}
        self._options: dict[str, str] = {}
        self._inner: dict[tuple[str, str], list[str]] = {}
        for key, value in parse_qsl(raw.decode("latin-1"), keep_blank_values=True):
            name, bracket, inner = key.partition("[")
            inner = inner.partition("]")[0]
            if bracket and inner and not (inner.isascii() and inner.isdigit()):
                if name == "options":
                    self._options[inner] = value
                self._inner.setdefault((name, inner), []).append(value)
                continue
            self._lists.setdefault(name, []).append(value)

    def many(self, *names: str, most: int = 100) -> list[str]:
        """All values of a parameter under any of its names; empty when absent."""
        found = [value for name in names for value in self._lists.get(name, []) if value != ""]
        if len(found) > most:
            raise Refused.invalid([f"{names[0]}: at most {most} values, got {len(found)}"])
        return found

    def one(self, *names: str) -> str | None:
        """The first value of a parameter."""
        found = self.many(*names)
        return found[0] if found else None

    def need(self, name: str) -> str:
        """The value of a parameter that must be there."""
        value = self.one(name)
        if value is None:
            raise Refused.invalid([f"{name} is required"])
        return value

    def flag(self, name: str) -> bool | None:
        """A boolean parameter; None when absent or `null`."""
        value = self.one(name)
        if value in (None, "null", "undefined"):
            return None
        if value not in ("true", "false", "1", "0"):
            raise Refused.invalid([f"{name}: true or false, got {value!r}"])
        return value in ("true", "1")

    def choice(self, name: str, allowed: tuple[str, ...], default: str) -> str:
        """A parameter with fixed values."""
        value = self.one(name) or self._options.get(name) or default
        if value not in allowed:
            raise Refused.invalid([f"{name}: one of {', '.join(allowed)}, got {value!r}"])
        return value

    def option(self, name: str) -> str | None:
        """`options[name]`, or the flat parameter of that name."""
        return self._options.get(name) or self.one(name)

    def inner(self, name: str, key: str) -> list[str]:
        """All values of `name[key]`."""
        return [value for value in self._inner.get((name, key), []) if value != ""]

    def page(self, *, default: int = 10, most: int = 100) -> PageWish:
        """The page asked for: a token carries its own size, since SDKs send either a token or a limit."""
        token = self.option("token")
        if token:
            return _read(token, most)
        text = self.option("limit")
        if text is None:
            return PageWish(default)
        if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most):
            raise Refused.invalid([f"options[limit]: 1 to {most}, got {text!r}"])
        return PageWish(int(text))


def sliced(found: Iterable[Json], wish: PageWish) -> Page:
    """A page of what is in order already; its tokens count from the beginning."""
    start = max(0, wish.start or 0)
    shown = list(islice(found, start, start + wish.limit + 1))
    more = start + wish.limit if len(shown) > wish.limit else None
    return Page(shown[: wish.limit], more, max(0, start - wish.limit) if start else None)


def page_by(
    collection: Collection,
    where: Json,
    wish: PageWish,
    order: str,
    *,
    accept: Accept | None = None,
    name: Callable[[Json], str] = lambda each: str(each.get("displayName") or ""),
) -> Page:
    """A page in the order that is asked for: by creation, change, activity or name.

    Args:
        order: the wire's `sortBy`.
        name: what `displayName` sorts by.
    """
    if order in ("firstCreated", "lastCreated"):
        newest = order == "lastCreated"
        return collection.page(where, limit=wish.limit, newest_first=newest, start=wish.start, accept=accept)
    if order == "displayName":
        named = sorted(collection.find(where), key=lambda each: name(each).casefold())
        return sliced(filter(accept, named), wish)
    field = "lastActivity" if order == "lastActivity" else "updatedAt"
    with closing(collection.sorted_by(field, where, downward=order.startswith("last"))) as found:
        return sliced(filter(accept, found), wish)


def paging(page: Page, limit: int) -> dict[str, Any]:
    """The answer's `paging` object. Some lists call the way back `prev`, some `previous`: both are there."""
    found: dict[str, Any] = {}
    if page.next is not None:
        found["next"] = _write(limit, page.next)
    if page.previous is not None:
        found["previous"] = found["prev"] = _write(limit, page.previous)
    return found


def _write(limit: int, start: int) -> str:
    return base64.urlsafe_b64encode(orjson.dumps({"l": limit, "s": start})).decode().rstrip("=")


def _read(token: str, most: int) -> PageWish:
    try:
        content = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        wish = PageWish(int(content["l"]), int(content["s"]))
    except (ValueError, KeyError, TypeError, OverflowError, binascii.Error):
        raise Refused.bad_request("options[token] is no token of this service: start the list anew") from None
    # What a backfill wrote lies before the first row: its numbers are negative.
    if not 1 <= wish.limit <= most or wish.start is None or not -(2**63) <= wish.start < 2**63:
        raise Refused.bad_request("options[token] is no token of this service: start the list anew")
    return wish
