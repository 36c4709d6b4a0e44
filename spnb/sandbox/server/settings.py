"""Every choice the sandbox makes where the service's own is unknown or would slow a developer down."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["CATEGORIES", "SandboxSettings", "Thresholds"]

CATEGORIES = ("pornography", "violence", "prohibited", "inappropriate", "profanity")
"""What the automatic moderation looks for (social.plus moderation pages)."""


class Thresholds(BaseModel):
    """How sure the automatic moderation must be to act, 0 to 1. Documented defaults: 40 % and 75 %."""

    model_config = ConfigDict(frozen=True)

    flag: float = Field(default=0.4, ge=0, le=1)
    terminate: float = Field(default=0.75, ge=0, le=1)

    @model_validator(mode="after")
    def _in_order(self) -> Thresholds:
        if self.flag > self.terminate:
            raise ValueError("a room is flagged before it is terminated: flag must not be above terminate")
        return self


class SandboxSettings(BaseModel):
    """Settings of one sandbox process. Times are seconds. Facts marked *choice* are documented nowhere."""

    model_config = ConfigDict(frozen=True)

    data_dir: Path
    network_id: str = "sandbox"
    api_key: str | None = Field(default=None, repr=False, min_length=16, max_length=200, pattern=r"^[!-~]+$")
    """The network's key; without it, a random one that belongs to the data folder."""
    livekit: str = ""
    """Which media server: `embedded`, `auto`, a livekit-server's path, or a deployment's `ws://` address; empty
    leaves it to the environment (see `spnb.sandbox.livekit.choice`)."""
    egress: Path | None = None
    """The folder that the deployment's Egress writes recordings into; without it the sandbox records by itself."""
    grace_seconds: float = Field(default=30.0, ge=0)
    """*Choice*: how long a room waits for its publisher (`waitingReconnect`) before it ends."""
    most_co_hosts: int = Field(default=6, ge=0)
    """*Choice*: co-hosts a room may have beside its host; the guide only warns above four to six."""
    rate_limit: bool = True
    rate_limit_requests: int = 100
    rate_limit_window: float = 5.0
    """100 requests in 5 s per user over all devices, as the service documents."""
    access_token_seconds: float = 30 * 86400.0
    """Documented: 30 days."""
    auth_token_seconds: float = 600.0
    """Documented: about ten minutes."""
    livekit_token_seconds: float = 6 * 3600.0
    """*Choice*: life of a `coHostToken`."""
    media_url_seconds: float = 6 * 3600.0
    """*Choice*: life of a signed playback or recording address."""
    heartbeat_seconds: int = Field(default=30, ge=1)
    """The presence settings' `heartbeatInterval`. A viewer is gone after twice that in silence (*choice*)."""
    one_user_per_device: bool = True
    """Another user's login on a device id ends the first one's session, as documented."""
    secure_mode: bool = False
    """Whether a login needs an auth token minted with the server key."""
    watch_key: Path | None = None
    """File of a public key in PEM: watch sessions that another key has signed are refused. Any are taken without it
    (*choice*)."""
    visitor_reads_per_day: int = 100
    """Documented: visitors and bots share a quota of 100 reads a day."""
    upload_limit_bytes: int = 64 * 2**20
    """*Choice*: the service allows 1 GiB, a laptop's sandbox need not."""
    moderation: dict[str, Thresholds] = Field(default_factory=lambda: {name: Thresholds() for name in CATEGORIES})
    """By category: when a stream is flagged, and when it is terminated."""
    community_id: str = "sandbox"
    """A community that is always there, so that a first post has a place."""

    @property
    def presence_seconds(self) -> float:
        """Silence after which a viewer no longer counts."""
        return 2.0 * self.heartbeat_seconds
