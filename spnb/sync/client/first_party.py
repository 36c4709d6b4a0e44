"""The blocking twins of `spnb.client.first_party`.

Written by `uv run --group dev python -m tests.blocking`: change that module instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spnb._faces import Face
from spnb._loop import run
from spnb.client.first_party import EXPORTS, METRICS

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path
    from typing import Literal

    from spnb.client.first_party import AsyncFirstParty, Json, Kind


__all__ = ["FirstParty"]


class FirstParty(Face):
    """First-party data: needs an administrator's token, which is used for the one call and kept nowhere.

    The blocking twin of `AsyncFirstParty`.
    """

    _twin: AsyncFirstParty

    def export(self, kind: Kind, path: str | Path, *, admin_token: str, address: str = EXPORTS) -> Path:
        """Fetch a whole table of the network into a file (social.plus: first-party data by `dataType`).

        The service answers with the address of a file; the token goes to the service alone.

        Args:
            kind: which table.
            path: where it goes; what is there stays until all of the new file stands beside it.
            admin_token: an administrator's.
            address: the call's path at your service; without it the sandbox's.

        Returns:
            The file.

        Raises:
            Forbidden, Unauthorized: the token is no administrator's.
            DownloadError: the service gave no file.
        """
        return run(self._twin.export(kind, path, admin_token=admin_token, address=address))

    def community_metrics(
        self,
        community_id: str,
        since: date | str,
        until: date | str,
        *,
        admin_token: str,
        by: Literal["day", "all"] = "day",
        address: str = METRICS,
    ) -> Json:
        """How a community does (social.plus: community metrics): activities, members, the most active day and hour.

        Args:
            since: the first day, UTC.
            until: the last day, UTC.
            admin_token: an administrator's.
            by: a row for each day, or one for all.
            address: the call group's path at your service; without it the sandbox's.

        Returns:
            As the service tells it; of the sandbox `metrics`, a list of rows with `date`, `activities`, `posts`,
            `comments`, `reactions`, `members` and `newMembers`, beside `mostActiveDay` and `mostActiveHour`.

        Raises:
            Forbidden, Unauthorized: the token is no administrator's.
            NotFound: there is no such community.
        """
        return run(
            self._twin.community_metrics(community_id, since, until, admin_token=admin_token, by=by, address=address)
        )

    @property
    def asynchronous(self) -> AsyncFirstParty:
        """The async twin: the same object, to be awaited."""
        return self._twin
