"""The blocking twins of `spnb.client.settings`.

Written by `uv run --group dev python -m tests.blocking`: change that module instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spnb._faces import Face
from spnb._loop import run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    from spnb.client.settings import AsyncSettings, ModerationSettings, PrehookSettings, Thresholds


__all__ = ["Settings"]


class Settings(Face):
    """Settings of the whole network. The service lets only its administrators see and change them.

    The blocking twin of `AsyncSettings`.
    """

    _twin: AsyncSettings

    def webhooks(self) -> bool:
        """Whether the network's webhooks are on."""
        return run(self._twin.webhooks())

    def set_webhooks(self, enabled: bool) -> bool:
        """Switch the network's webhooks on or off. Where they go to is set in the Console.

        Returns:
            Whether they are on now.
        """
        return run(self._twin.set_webhooks(enabled))

    def moderation(self) -> ModerationSettings:
        """What the automatic moderation of streams acts on."""
        return run(self._twin.moderation())

    def set_moderation(
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
        return run(self._twin.set_moderation(thresholds, enabled=enabled))

    def prehook(self) -> PrehookSettings:
        """Where the network asks before it stores something, and whether it does."""
        return run(self._twin.prehook())

    def set_prehook(
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
        return run(self._twin.set_prehook(url, enabled=enabled, default=default, new_secret=new_secret))

    @property
    def asynchronous(self) -> AsyncSettings:
        """The async twin: the same object, to be awaited."""
        return self._twin
