"""What a network asks before it stores something, and what may be said to it (social.plus pre-hook page)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from spnb._arguments import checked_class

__all__ = ["EVENTS", "Asked", "Decision", "Malformed", "read_asked"]

Json = dict[str, Any]
EVENTS = (
    "message.shouldCreate",
    "message.shouldUpdate",
    "message.shouldFlag",
    "message.shouldUnflag",
    "channel.shouldCreate",
    "channel.shouldJoin",
    "channel.shouldLeave",
    "channel.shouldUpdate",
    "post.shouldCreate",
    "post.shouldUpdate",
    "post.shouldDelete",
    "post.shouldFlag",
)
"""All that a network asks about."""


class Malformed(ValueError):
    """A body that asks nothing."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is said to a question."""

    action: Literal["allow", "deny"]
    message: str = ""
    """Why it is refused; whoever wanted it reads this."""
    data: Json = field(default_factory=dict)
    """What is changed, in the wire's names."""
    problem: Literal["", "failed", "late"] = ""
    """Why this is the default and no rule's word."""

    def over(self, earlier: Json) -> Json:
        """These changes on top of earlier ones."""
        return _laid_over(earlier, self.data)

    def wire(self) -> bytes:
        """The answer."""
        if self.action == "deny":
            return json.dumps({"action": "deny", "message": self.message or "This is not wanted here"}).encode()
        return json.dumps({"action": "allow", **({"data": self.data} if self.data else {})}).encode()


@checked_class
@dataclass(frozen=True, slots=True)
class Asked:
    """A question: may this be stored?"""

    event: str
    """E.g. `message.shouldCreate`."""
    user_id: str
    """Who wants it."""
    data: Json = field(repr=False)
    """What is to be stored, in the wire's names. User content."""

    @property
    def text(self) -> str:
        """Its words; empty where it has none. User content."""
        inner = self.data.get("data")
        for place in (inner if isinstance(inner, dict) else {}, self.data):
            if isinstance(place.get("text"), str):
                return str(place["text"])
        return ""

    @property
    def channel_id(self) -> str:
        """The channel it is for, or is; empty where it tells none."""
        return str(self.data.get("channelId") or "")

    def allow(self) -> Decision:
        """It is fine, whatever later rules would say."""
        return Decision("allow")

    def refuse(self, message: str = "") -> Decision:
        """It is not stored.

        Args:
            message: why; its author reads this.
        """
        return Decision("deny", message=message)

    def change(self, *, text: str | None = None, **fields: Any) -> Decision:
        """It is stored otherwise.

        Args:
            text: instead of its words.
            fields: further ones, in the wire's names, e.g. `tags=["checked"]`.
        """
        data: Json = dict(fields)
        if text is not None:
            inner = data.get("data")
            data["data"] = {**(inner if isinstance(inner, dict) else {}), "text": text}
        return Decision("allow", data=data)

    def changed(self, data: Json) -> Asked:
        """The question as it is after a change."""
        return replace(self, data=_laid_over(self.data, data))


def _laid_over(below: Json, above: Json) -> Json:
    laid = {**below, **above}
    if isinstance(below.get("data"), dict) and isinstance(above.get("data"), dict):
        laid["data"] = {**below["data"], **above["data"]}
    return laid


def read_asked(body: bytes) -> Asked:
    """The question of a verified body: `{eventName, data, actor: {_id, userId}}`.

    Raises:
        Malformed: it is none.
    """
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        raise Malformed("the body is no JSON") from None
    event = told.get("eventName") if isinstance(told, dict) else None
    if not isinstance(event, str) or not event or len(event) > 200:
        raise Malformed("the body has no eventName")
    data, actor = told.get("data"), told.get("actor")
    user_id = actor.get("userId") if isinstance(actor, dict) else None
    return Asked(event, str(user_id or ""), data if isinstance(data, dict) else {})
