"""What the network's administrator may take away: whole tables as files, and how communities do."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urljoin
from uuid import uuid4

import anyio

from spnb._loop import on_loop
from spnb.client.answers import told
from spnb.client.reach import Reach
from spnb.client.resource import Resource, part
from spnb.config import is_loopback
from spnb.errors import BadAnswer, DownloadError, InvalidInput

__all__ = ["EXPORTS", "METRICS", "AsyncFirstParty", "Kind"]

Json = dict[str, Any]
Kind = Literal[
    "comments_last_90d", "communities", "community_members", "posts_last_90d", "reactions_last_90d", "roles", "users"
]
EXPORTS = "/api/v1/analytics/first-party-data"
"""Where the sandbox has it: the vendor's specification does not name the service's path."""
METRICS = "/api/v1/analytics/community-metrics"


class AsyncFirstParty(Resource):
    """First-party data: needs an administrator's token, which is used for the one call and kept nowhere."""

    @on_loop
    async def export(self, kind: Kind, path: str | Path, *, admin_token: str, address: str = EXPORTS) -> Path:
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
        doing = f"export {kind}"
        answer = await self._session.request(
            "GET", address, doing=doing, params={"dataType": kind}, follow=False, admin_token=_checked(admin_token)
        )
        location = answer.headers.get("location")
        if not answer.is_redirect or not location:
            raise BadAnswer(
                f"could not {doing}: {address} did not lead to a file; is it the path of first-party data?",
                status=answer.status_code,
            )
        rest = self._session.endpoints.rest
        place = Path(path)
        draft = place.with_name(f".{place.name}.{uuid4().hex[:8]}.part")
        try:
            async with (
                Reach(loopback=is_loopback(rest), what="export") as reach,
                reach.ask(urljoin(f"{rest}{address}", location)) as found,
            ):
                if not 200 <= found.status < 300:
                    raise DownloadError(f"could not {doing}: the file's server answered {found.status}")
                async with await anyio.open_file(draft, "wb") as file:
                    async for chunk in found.body:
                        await file.write(chunk)
            draft.replace(place)
        except OSError as error:
            raise DownloadError(f"could not {doing}: {place} cannot be written ({error.strerror})") from error
        finally:
            draft.unlink(missing_ok=True)
        return place

    @on_loop
    async def community_metrics(
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
        doing = "read the community's metrics"
        answer = await self._session.request(
            "GET",
            f"{address}/{part(community_id)}",
            doing=doing,
            params={"startDate": str(since), "endDate": str(until), "interval": by},
            admin_token=_checked(admin_token),
        )
        found: Json = told(answer, doing)
        return found


def _checked(admin_token: str) -> str:
    if not isinstance(admin_token, str) or not admin_token.strip():
        raise InvalidInput("an administrator's token is needed: the Console's settings have it")
    return admin_token.strip()
