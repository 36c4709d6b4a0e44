"""Pictures that a page sends several of in one message go on air in order; muted from one on, that one does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from spnb._loop import run
from spnb.broadcast.frames import FramesPublisher
from spnb.broadcast.options import Intent
from spnb.broadcast.publisher import PublisherEvents
from spnb.widgets import CameraPreview


class Sent:
    """What LiveKit's SDK would be given, as its source is."""

    def __init__(self) -> None:
        self.pictures: list[bytes] = []
        self.after: Any = None

    def capture_frame(self, frame: Any) -> None:
        self.pictures.append(frame.data)
        if self.after is not None and len(self.pictures) == self.after[0]:
            self.after[1]()

    def take_feedback(self) -> Any:
        from livekit import rtc

        return rtc.EncodedVideoSource(320, 180).take_feedback()


def _told(n: int, *, key: bool = False, **other: Any) -> dict[str, Any]:
    return {"codec": "vp8", "key": key, "width": 320, "height": 180, "at": n * 33_000, "n": n} | other


def test_pictures_of_one_message_go_out_in_order_and_none_once_the_host_has_muted() -> None:
    preview = CameraPreview()
    try:
        run(_in_order(preview))
    finally:
        preview.close()


async def _in_order(preview: CameraPreview) -> None:
    told: list[dict[str, Any]] = []
    heard: list[bytes] = []
    preview.__dict__.update(send=told.append, _take_sound=heard.append, _opus=bytes)
    preview._linked().hold("page")
    events = PublisherEvents(*[cast("Any", lambda *_: None)] * 5)
    publisher = FramesPublisher(preview._linked(), preview._frames, Intent(), events)
    sent = Sent()
    publisher._video, publisher._codec = sent, "vp8"
    publisher._size = 320, 180

    async def come(*pictures: dict[str, Any], sound: tuple[bytes, ...] = (), client: str = "page") -> list[int]:
        """What goes out of these, by number."""
        pieces = [b"%d" % picture["n"] for picture in pictures]
        await preview.do_encoded({"client": client, "pictures": list(pictures)}, [*pieces, *sound])
        went, sent.pictures = sent.pictures, []
        return [int(one) for one in went]

    # Before it is on air nothing goes out; then it begins with the key frame that is there.
    preview._frames._show = lambda _picture: None
    assert await come(_told(-4), _told(-3, key=True), _told(-2), _told(-1, key=True), _told(0)) == []
    publisher._begin()
    assert [int(one) for one in sent.pictures] == [-1, 0]
    told.clear()
    sent.pictures.clear()

    assert await come(_told(1), _told(2), _told(3), sound=(b"one", b"two")) == [1, 2, 3]
    assert heard == [b"one", b"two"]
    assert [(ack["n"], ack["key"]) for ack in told] == [(3, True)], "told once, of all that came together"
    assert await come(_told(4, codec="other"), _told(5)) == [5], "one that makes no sense takes no other with it"
    assert await come(sound=(b"three",)) == []
    assert heard[2:] == [b"three"]
    assert [ack["n"] for ack in told[1:]] == [5], "sound asks for no answer"
    assert await come(_told(6), client="another page") == []

    sent.after = 2, lambda: publisher.heed(replace(Intent(), muted=frozenset({"video"})))
    assert await come(_told(7), _told(8), _told(9), _told(10, key=True)) == [7, 8], "muted between two of them"
    assert told[-1]["n"] == 10
    sent.after = None
    publisher.heed(Intent())
    # What comes next begins at a key frame, which is asked for.
    assert await come(_told(11), _told(12)) == []
    assert told[-1]["key"] is True
    assert await come(_told(13), _told(14, key=True), _told(15)) == [14, 15]
