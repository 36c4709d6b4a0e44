"""Settings of the network: webhooks on or off, and what the automatic moderation acts on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any, Literal

from spnb._loop import on_loop
from spnb.client.resource import Resource, checked_text
from spnb.errors import InvalidInput

__all__ = ["AsyncSettings", "ModerationSettings", "PrehookSettings", "Thresholds"]

Json = dict[str, Any]

BASE = "/api/v3/network-settings"
FLAG, TERMINATE = 0.4, 0.75
"""Documented defaults."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """How sure the automatic moderation must be to act, 0 to 1, flag ≤ terminate. The service's defaults are 40 % and
    75 %."""

    flag: float = FLAG
    """From here on a stream is flagged and goes on."""
    terminate: float = TERMINATE
    """From here on it is stopped, and its post deleted."""


@dataclass(frozen=True, slots=True)
class ModerationSettings:
    """The automatic moderation of streams."""

    enabled: bool
    thresholds: dict[str, Thresholds] = field(default_factory=dict)
    """By category: `pornography`, `violence`, `prohibited`, `inappropriate`, `profanity`."""

    @classmethod
    def of(cls, answer: Json) -> ModerationSettings:
        """From what the service answers; a threshold it does not tell is the default one."""
        told = answer.get("moderation") or {}
        thresholds = {}
        for each in told.get("categories") or []:
            flag, terminate = each.get("flagThreshold"), each.get("terminateThreshold")
            thresholds[str(each.get("category"))] = Thresholds(
                FLAG if flag is None else float(flag),
                TERMINATE if terminate is None else float(terminate),
            )
        return cls(bool(told.get("enabled")), thresholds)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align:left'>{escape(name)}</td>"
            f"<td>{each.flag:.0%}</td><td>{each.terminate:.0%}</td></tr>"
            for name, each in self.thresholds.items()
        )
        caption = f"Moderation, {'on' if self.enabled else 'off'}"
        head = "<th style='text-align:left'>category</th><th>flags from</th><th>terminates from</th>"
        return f"<table><caption>{caption}</caption><tr>{head}</tr>{rows}</table>"


@dataclass(frozen=True, slots=True)
class PrehookSettings:
    """Where the network asks before it stores a message, post or channel."""

    enabled: bool
    url: str
    default: str
    """What becomes of that about which it got no answer in time: `allow` or `deny`."""
    secret: str = field(default="", repr=False)
    """What questions are signed with; told only by a change."""

    @classmethod
    def of(cls, answer: Json) -> PrehookSettings:
        """From what the service answers."""
        default = str(answer.get("defaultAction") or "allow")
        url, secret = str(answer.get("callbackUrl") or ""), str(answer.get("secretKey") or "")
        return cls(bool(answer.get("enabled")), url, default, secret)


class AsyncSettings(Resource):
    """Settings of the whole network. The service lets only its administrators see and change them."""

    @on_loop
    async def webhooks(self) -> bool:
        """Whether the network's webhooks are on."""
        return bool((await self._get(f"{BASE}/webhook", "read whether webhooks are on")).get("enabled"))

    @on_loop
    async def set_webhooks(self, enabled: bool) -> bool:
        """Switch the network's webhooks on or off. Where they go to is set in the Console.

        Returns:
            Whether they are on now.
        """
        doing = f"switch webhooks {'on' if enabled else 'off'}"
        return bool((await self._put(f"{BASE}/webhook", doing, {"webhookEnabled": enabled})).get("enabled"))

    @on_loop
    async def moderation(self) -> ModerationSettings:
        """What the automatic moderation of streams acts on."""
        return ModerationSettings.of(await self._get(f"{BASE}/video-streaming", "read the moderation settings"))

    @on_loop
    async def set_moderation(
        self, thresholds: Mapping[str, Thresholds | tuple[float, float]] | None = None, *, enabled: bool | None = None
    ) -> ModerationSettings:
        """Change the automatic moderation of streams.

        Args:
            thresholds: by category, as `Thresholds` or as `(flag, terminate)`, 0 to 1; others stay as they are.
            enabled: on or off; as it is without.

        Returns:
            The settings as they are now.

        Raises:
            InvalidInput: thresholds that are none; nothing was sent.
        """
        wished = {name: _checked(each) for name, each in (thresholds or {}).items()}
        # What is not sent could be reset by the service: all that is known goes along.
        now = await self._get(f"{BASE}/video-streaming", "read the moderation settings")
        known = ModerationSettings.of(now)
        categories = [
            {"category": name, "flagThreshold": each.flag, "terminateThreshold": each.terminate}
            for name, each in {**known.thresholds, **wished}.items()
        ]
        moderation = {"enabled": known.enabled if enabled is None else enabled, "categories": categories}
        body = {"enabled": bool(now.get("enabled", True)), "moderation": moderation}
        return ModerationSettings.of(await self._put(f"{BASE}/video-streaming", "change the moderation settings", body))

    @on_loop
    async def prehook(self) -> PrehookSettings:
        """Where the network asks before it stores something, and whether it does."""
        return PrehookSettings.of(await self._get(f"{BASE}/prehook", "read the pre-hook's settings"))

    @on_loop
    async def set_prehook(
        self,
        url: str | None = None,
        *,
        enabled: bool | None = None,
        default: Literal["allow", "deny"] | None = None,
        new_secret: bool = False,
    ) -> PrehookSettings:
        """Change where the network asks before it stores something; `spnb.webhooks.Prehook` does it by itself.

        Args:
            url: the address of your server, at most 900 characters; as it is without.
            enabled: whether it asks; as it is without.
            default: what becomes of that about which it gets no answer in time; as it is without.
            new_secret: have questions signed with a new one.

        Returns:
            The settings as they are now, with the secret that questions are signed with.

        Raises:
            InvalidInput: it is to ask, and there is no address.
        """
        if default not in (None, "allow", "deny"):
            raise InvalidInput(f"default is 'allow' or 'deny', not {default!r}")
        # What is not sent could be reset by the service: all that is known goes along.
        now = await self.prehook()
        if enabled and not (now.url if url is None else url):
            raise InvalidInput("there is no address yet that the network could ask: give url=…")
        body = {
            "enabled": now.enabled if enabled is None else enabled,
            "callbackUrl": checked_text("url", now.url if url is None else url, 900),
            "defaultAction": default or now.default,
            "regenerateKey": new_secret,
        }
        return PrehookSettings.of(await self._put(f"{BASE}/prehook", "change the pre-hook's settings", body))


def _checked(wish: Thresholds | tuple[float, float]) -> Thresholds:
    found = wish if isinstance(wish, Thresholds) else Thresholds(*wish)
    if not 0 <= found.flag <= found.terminate <= 1:
        raise InvalidInput(
            f"thresholds are 0 ≤ flag ≤ terminate ≤ 1, e.g. 0.4 and 0.75; not {found.flag} and {found.terminate}"
        )
    return found
