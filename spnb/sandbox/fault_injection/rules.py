"""Which faults there are, and the list of those that are on.

A fault strikes calls or events that match it, for the next few or for a share of them. The share is drawn from the
fault's own seeded generator, so a run with the same calls meets the same faults.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from spnb.sandbox.rest import Refused
from spnb.sandbox.rooms.ports import Json

__all__ = ["EVENT_KINDS", "REQUEST_KINDS", "Fault", "FaultWish", "Faults", "Where"]

RequestKind = Literal["rate-limit", "server-error", "bad-gateway", "timeout", "lost-answer"]
EventKind = Literal["drop", "double", "delay", "reorder"]
Where = Literal["rest", "mqtt", "webhook"]
REQUEST_KINDS: tuple[str, ...] = get_args(RequestKind)
"""429, 500, 502, never carried out and not answered in time, carried out but not answered in time."""
EVENT_KINDS: tuple[str, ...] = get_args(EventKind)
MOST = 100


class FaultWish(BaseModel):
    """What a fault shall do. Times are seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True)

    kind: RequestKind | EventKind
    where: Where | None = None
    """Follows from the kind for requests; events are MQTT's unless `webhook` is named."""
    match: str = Field(default="*", min_length=1, max_length=200)
    """A pattern with `*` and `?`: for requests of `POST /api/v1/rooms`, for events of `room.startBroadcasting`."""
    times: int | None = Field(default=None, ge=1)
    """How often it strikes; for ever without."""
    share: float = Field(default=1.0, gt=0, le=1)
    """Which part of what matches it strikes."""
    seconds: float | None = Field(default=None, ge=0, le=600)
    """How long a request stays unanswered (60 s without), an event is late (1 s), or is held at most to be overtaken
    by the next (2 s)."""
    retry_after: float | None = Field(default=None, ge=0)
    """Seconds of the `Retry-After` header of `rate-limit`; no such header without."""
    seed: int = 0

    @model_validator(mode="after")
    def _fits(self) -> FaultWish:
        if self.kind in REQUEST_KINDS and self.where not in (None, "rest"):
            raise ValueError(f"{self.kind} is a fault of requests: leave `where` out")
        if self.kind in EVENT_KINDS and self.where == "rest":
            raise ValueError(f"{self.kind} is a fault of events: `where` is mqtt or webhook")
        if self.kind in REQUEST_KINDS and not re.search(r"[/*?[]", self.match):
            raise ValueError(f"{self.match!r} matches no request: a method and a path, e.g. `POST /api/v1/rooms`, or *")
        return self

    @property
    def place(self) -> Where:
        """Where it strikes."""
        return "rest" if self.kind in REQUEST_KINDS else self.where or "mqtt"


class Fault:
    """A fault that is on."""

    def __init__(self, fault_id: str, wish: FaultWish) -> None:
        self.id = fault_id
        self.wish = wish
        self.hits = 0
        self._chance = random.Random(wish.seed)

    def strikes(self, subject: str) -> bool:
        """Whether it strikes this call or event; each asking is one draw."""
        wish = self.wish
        if (wish.times is not None and self.hits >= wish.times) or not fnmatchcase(subject, wish.match):
            return False
        if wish.share < 1 and self._chance.random() >= wish.share:
            return False
        self.hits += 1
        return True

    def describe(self) -> Json:
        """As the API tells it."""
        wish = self.wish.model_dump(by_alias=True, exclude_none=True)
        left = None if self.wish.times is None else self.wish.times - self.hits
        return {**wish, "where": self.wish.place, "faultId": self.id, "hits": self.hits, "left": left}


class Faults:
    """The faults that are on, the first that strikes wins."""

    def __init__(self) -> None:
        self._faults: dict[str, Fault] = {}
        self._numbers = itertools.count(1)
        self._clearings: list[Callable[[], None]] = []

    def on_clear(self, callback: Callable[[], None]) -> None:
        """Have `callback` called when all faults are cleared."""
        self._clearings.append(callback)

    def add(self, body: object) -> Fault:
        """Switch a fault on.

        Raises:
            Refused: 422 with what is wrong about the wish, 400 where there are too many.
        """
        try:
            wish = FaultWish.model_validate(body)
        except ValidationError as error:
            raise Refused.invalid(
                [f"{'.'.join(map(str, fault['loc'])) or 'fault'}: {fault['msg']}" for fault in error.errors()]
            ) from None
        if len(self._faults) >= MOST:
            raise Refused.bad_request(f"There are {MOST} faults already: clear them first")
        fault = Fault(f"f{next(self._numbers)}", wish)
        self._faults[fault.id] = fault
        return fault

    def remove(self, fault_id: str) -> None:
        """Switch a fault off.

        Raises:
            Refused: 404 where there is none of that id.
        """
        if self._faults.pop(fault_id, None) is None:
            raise Refused.not_found(f"Fault {fault_id!r}")

    def clear(self) -> None:
        """Switch all off; what was held back is let go."""
        self._faults.clear()
        for callback in self._clearings:
            callback()

    def describe(self) -> list[Json]:
        """All faults, also those used up, in the order they were added."""
        return [fault.describe() for fault in self._faults.values()]

    def striking(self, where: Where, subject: str) -> Fault | None:
        """The fault that strikes a call or event, if any does."""
        if not self._faults:
            return None
        return next((f for f in self._faults.values() if f.wish.place == where and f.strikes(subject)), None)
