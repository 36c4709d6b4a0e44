"""Faults that a single call asks for itself, by a header: tests that run side by side do not disturb each other.

    X-Sandbox-Fault: rate-limit; retry-after=1
    X-Sandbox-Fault: lost-answer; seconds=0.2; times=1; id=my-test-7

The kinds and words are those of `/sandbox/faults`. With `times` only the first so many calls that bear the same `id`
are struck, so that a client which repeats a call with the same header gets through.
"""

from __future__ import annotations

from collections import OrderedDict

from pydantic import ValidationError

from spnb.sandbox.fault_injection.rules import REQUEST_KINDS, FaultWish
from spnb.sandbox.rest.refused import Refused

__all__ = ["ASKING", "AskedFaults"]

ASKING = b"x-sandbox-fault"
WORDS = {"retry-after": "retryAfter", "seconds": "seconds", "times": "times"}
MOST_IDS = 10_000


class AskedFaults:
    """Reads the header, and counts for each id how often it struck."""

    def __init__(self) -> None:
        self._struck: OrderedDict[str, int] = OrderedDict()

    def striking(self, header: str) -> FaultWish | None:
        """What shall happen to a call that bears this header; None where its `times` are used up.

        Raises:
            Refused: 422, the header asks for what there is not.
        """
        kind, *words = (part.strip() for part in header.split(";"))
        told = dict(part.partition("=")[::2] for part in words if part)
        asked = told.pop("id", None)
        unknown = sorted(told.keys() - WORDS.keys())
        if kind not in REQUEST_KINDS or unknown:
            raise Refused.invalid(
                [f"X-Sandbox-Fault: one of {', '.join(REQUEST_KINDS)}, then {', '.join(WORDS)} and id; got {header!r}"]
            )
        try:
            wish = FaultWish.model_validate({"kind": kind, **{WORDS[name]: value for name, value in told.items()}})
        except ValidationError as error:
            raise Refused.invalid([f"X-Sandbox-Fault: {fault['msg']}" for fault in error.errors()]) from None
        if wish.times is None:
            return wish
        if not asked:
            raise Refused.invalid(["X-Sandbox-Fault: times goes with an id=… of the test's own"])
        struck = self._struck.pop(asked, 0)
        self._struck[asked] = min(struck + 1, wish.times)
        if len(self._struck) > MOST_IDS:
            self._struck.popitem(last=False)
        return wish if struck < wish.times else None
