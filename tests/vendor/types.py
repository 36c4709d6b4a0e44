"""What the service answers and tells, held against the types that the vendor's SDK ships."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable
from types import TracebackType

from tests.node import bundled
from tests.vendor.site import APP

__all__ = ["OTHERWISE", "Types"]

OTHERWISE: dict[str, str] = {
    r"\.localCommentCount: missing": "the SDK keeps this count itself",
    r"\.isGlobalBanned: missing": "the SDK makes it of `isGlobalBan`",
    r"^invitations\[\]\.respondedAt: missing": "nobody has answered yet",
    r"(deletedAt|deletedBy): missing": "of what is not deleted",
    r"(lastMessageId|messagePreviewId): missing": "where nobody has written yet",
    r"^events\[\]\.(postId|metadata\.timezone): missing": "no room was posted there, and no timezone given",
    r"^pins\[\]\.pinnedAt: \S+ is no Date": "JSON has no dates: the SDK makes it one",
    r"^messagePreviews\[\]\.parentId: missing": "of what is no reply",
    r"attributes\.size: \d+ is no string": "the description has a number, which nothing of the SDK reads",
    r"(respondedAt|joinedAt): \S+ is no Timestamps": "one time, for which the type names the pair",
    r"\.metadata: .* is no undefined": "a type that allows no value at all",
    r"\.structureType: .* is no PostStructureType": "the type has not the kinds of posts that the SDK makes",
    r"permissions\[\]: .*_COMMUNITY_POST. is no Permission": "the Web UIKit asks for it; the type is older",
    r"\.parentId: null is no string": "posts without a parent; the SDK asks only whether there is one",
    r"\.pinnedProductId: null is no": "nothing is pinned any more, which the SDK reads as null",
    r"\.feedType: .declined. is no": "the SDK's own event `post.declined` is about it",
    r"^notificationTrayItems\[\]\.actionType: .(event|invitation). is no": "categories of the same type that it lacks",
}
"""Where a complaint is none, and why."""


class Types:
    """A process that knows the types; a context manager."""

    def __enter__(self) -> Types:
        app = bundled(APP)
        self._node = subprocess.Popen(
            ["node", "types.mjs"], cwd=app, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._node.communicate(timeout=60)

    def faults(self, told: Iterable[tuple[str, str]]) -> list[str]:
        """What of it is not as the types have it, each once, with the call or event."""
        assert self._node.stdin is not None
        assert self._node.stdout is not None
        self._node.stdin.write(json.dumps(list(told)) + "\n")
        self._node.stdin.flush()
        found = json.loads(self._node.stdout.readline())
        return sorted(
            {f"{name}: {fault}" for name, fault in found if not any(re.search(each, fault) for each in OTHERWISE)}
        )
