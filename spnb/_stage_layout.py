"""How several broadcasters of a room are shown: `{"stageLayout": {"shape", "focus"}}` in the room's metadata.

That is a convention, for the service has no field for it: a client writes it, and the sandbox composes by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

__all__ = ["LAYOUT", "Shape", "StageLayout", "layout_of"]

Shape = Literal["side-by-side", "spotlight", "picture-in-picture"]
"""All alike; one large and the others in a column beside it; one large and the others small upon it."""
LAYOUT = "stageLayout"


@dataclass(frozen=True, slots=True)
class StageLayout:
    """How several broadcasters are shown."""

    shape: Shape = "side-by-side"
    focus: str | None = None
    """Whose picture is the large one; None for the host's."""


def layout_of(metadata: Any) -> StageLayout:
    """What a room's metadata tell of it; what is none of it is side by side."""
    told = metadata.get(LAYOUT) if isinstance(metadata, dict) else None
    shape, focus = (told.get("shape"), told.get("focus")) if isinstance(told, dict) else (None, None)
    shapes: tuple[Shape, ...] = get_args(Shape)
    known = next((each for each in shapes if each == shape), shapes[0])
    return StageLayout(known, focus if isinstance(focus, str) and focus else None)
