"""`python -m tests.vendor.calls FUNCTIONS CALLED`: write which functions of the vendor's SDK are called by which test.

`calls.tsv` has a line for each function that the SDK exports: its name, then `test` and the test that calls it, `not
ours` and why no server has a part in it, or `not yet`. `test_calls.py` and a fixture hold it true.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

__all__ = ["TABLE", "table"]

TABLE = Path(__file__).with_name("calls.tsv")
NOT_OURS = (
    (r"(Story|Stream)Repository\.|LiveStreamPlayer\.|get(LiveStream|Story|CommunityStories)Topic", "streams, stories"),
    (
        r"(sortBy|filterBy|is[A-Z]|to(Page|Token)|query(Cache|Options)|runQuery|createQuery|exceeds|validateUntil)",
        "pure",
    ),
    (r".*(Cache|\.applyFilter|convertFromRaw|convertParams|convertQueryParams|prepare\w+Payload)$", "pure"),
    (
        r".*\.onLocal|.*Local$|on\w*Marker\w*$|onMessageMarked|.*\.onMessageFetched|.*\.isUnreadCountSupport",
        "in the page",
    ),
    (r"RoomRepository\.(onRoom(Created|Deleted|DidUpdate|Left|Stopped|Updated)|getWatchSessionStorage)", "in the page"),
    (r"notificationTray\.onNotificationTraySeenUpdated|ChannelRepository\.onChannelMemberRole", "in the page"),
    (
        r"Client\.(\w*Marker\w*|markerSyncTrigger|renewal|resumeSession|set\w+|getMarkerSyncEvents|pushMarkerSyncEvent)$",
        "in the page",
    ),
    (r"\w*SmartFeed\w*|getMark\w+Topic|SubChannelRepository\.\w*Engine\w*", "in the page"),
    (r"UserRepository\.Relationship\.on(FollowRequest|FollowerRequested)\w*", "everybody is followed without asking"),
    (r"createUserToken", "asks the vendor's own hosts"),
    (
        r"Client\.(startUnreadSync|stopUnreadSync|onClientDisconnected|onConnectionError)|"
        r"SubChannelRepository\.stopMessageReceiptSync|CommunityRepository\.onCommunityCreated|"
        r"UserRepository\.onUser(Flagged|Unflagged)",
        "in the page",
    ),
    (r"Client\.(un)?registerPushNotification", "for phones: refused in a browser"),
    (r"Client\.onClientBanned|\w+\.onUserDeleted|\w+\.on\w+FlagCleared", "done in the vendor's Console"),
    (r"CommunityRepository\.Membership\.onCommunityUserChanged", "no call leads to it"),
    (r"UserRepository\.Relationship\.acceptMyFollower", "everybody is followed without asking"),
    (r"getRoomStreamerTopic", "pure"),
)


def table() -> dict[str, tuple[str, str]]:
    """What each function is: `{name: (state, test or reason)}`."""
    lines = (line.split("\t") for line in TABLE.read_text().splitlines())
    return {name: (state, more) for name, state, more in lines}


def state(name: str, tests: dict[str, str]) -> tuple[str, str]:
    """State of one function."""
    if name in tests:
        return "test", tests[name]
    for pattern, reason in NOT_OURS:
        if re.match(pattern, name):
            return "not ours", reason
    return "not yet", ""


def main(functions: Path, called: Path) -> None:
    """Write the table from the SDK's functions and what was called, lines of `name, test`."""
    tests: dict[str, str] = {}
    for line in called.read_text().splitlines():
        name, test = line.split("\t")
        tests.setdefault(name, test)
    names = functions.read_text().split()
    TABLE.write_text("".join("\t".join((name, *state(name, tests))) + "\n" for name in sorted(names)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
