"""`CameraPreview`: the webcam in the notebook, for the eye and for Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spnb.ice import IceServers
from spnb.ice import ice_servers as ice_servers_of
from spnb.widgets.base import STATIC
from spnb.widgets.webcam import WebcamPart

if TYPE_CHECKING:
    from spnb.broadcast.sources.base import Source

__all__ = ["CameraPreview"]


class CameraPreview(WebcamPart):
    """The webcam and microphone of whoever looks at the notebook, within a second of the click.

    The page shows the camera at once; its pictures reach Python too, over WebRTC, or as messages where no UDP gets
    through: `preview.frame`, `preview.frames()`, and `@preview.on_frame` to change them. `room.go_live(preview.source)`
    broadcasts what is previewed.

    Args:
        source: a source of the kernel's to look at instead of the page's camera: a test card, a file, a device, a
            generator, the screen.
        ice_servers: STUN and TURN servers between page and kernel, as for `spnb.connect()`; without, what
            `SPNB_ICE_SERVERS` names.
    """

    _esm = STATIC / "cameraPreview.js"
    plain = "shows the webcam of this page; in code: preview.frame."

    def __init__(self, source: Source | None = None, *, ice_servers: IceServers | None = None, **keywords: Any) -> None:
        from spnb.broadcast.sources import source_of

        shown = source_of(source) if source is not None else None
        super().__init__(ice_servers=ice_servers_of(ice_servers), **keywords)
        if shown is not None:
            self.show(shown)
