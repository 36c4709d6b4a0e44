"""A full stage, for real: thirteen publishers of the official SDK in one recording, which is named by what it shows."""

from __future__ import annotations

import asyncio
import io
import random
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path

import av
import pytest
from livekit import rtc

import spnb
from spnb.recordings.shown import shown_size
from spnb.sandbox.recorder.layout import places
from tests.conftest import start_sandbox
from tests.live.conftest import until
from tests.media.conftest import publisher
from tests.rest.conftest import Caller
from tests.security.test_banned_is_banned import Given

GUESTS = 12
SMALL, WIDE = (160, 90), (1280, 720)


@pytest.mark.media
@pytest.mark.timeout(240)
async def test_thirteen_are_in_one_picture(tmp_path: Path) -> None:
    sandbox = start_sandbox(tmp_path / "data", "--no-rate-limit", "--grace", "1", "--most-co-hosts", str(GUESTS))
    host, guests = Caller(sandbox), [Caller(sandbox) for _ in range(GUESTS)]
    room_id = host.room("A full stage")["roomId"]
    for guest in guests:
        wish = {"targetId": room_id, "userIds": [guest.user_id]}
        invitation = host.post("/api/v1/invitations", wish)["invitations"][0]["invitationId"]
        guest.post(f"/api/v1/invitations/{invitation}/accept")

    def segments() -> int:
        return len(list((tmp_path / "data" / "recordings" / room_id).glob("part-*/segment-*.m4s")))

    def comes_on(caller: Caller) -> AbstractAsyncContextManager[rtc.Room]:
        token = Given(caller.get(f"/api/v1/rooms/{room_id}/token"))
        return publisher(token, room_id, caller.user_id, size=SMALL)

    async with AsyncExitStack() as on_stage:
        await on_stage.enter_async_context(comes_on(host))
        await until(segments, 60)
        alone = segments()
        await asyncio.gather(*(on_stage.enter_async_context(comes_on(guest)) for guest in guests))
        # Longer together than alone, however slow this machine is.
        together = 3 * (segments() + alone)
        await until(lambda: segments() >= together, 120)
    client = await spnb.connect_async(host.user_id, url=sandbox.url, api_key=sandbox.api_key)
    recording = await (await client.rooms.get(room_id)).recording(timeout=90, progress=False)
    (file,) = recording.files
    assert (file.width, file.height) == WIDE
    (path,) = await recording.download(tmp_path, name="full", progress=False)
    last = None
    with av.open(str(path)) as made:
        stream = made.streams.video[0]
        for picture in made.decode(stream):
            if (picture.width, picture.height) == WIDE:
                last = picture
                if (picture.time or 0) > recording.duration_seconds * 0.75:
                    break
    assert last is not None
    luma = last.reformat(format="gray").to_ndarray()
    seen = [luma[at.y : at.y + at.height, at.x : at.x + at.width].std() for at in places(GUESTS + 1, *WIDE)]
    assert min(seen) > 10, "somebody is missing"
    await client.aclose()
    sandbox.stop()

    # What names it is read from files of anybody.
    whole, chance = path.read_bytes(), random.Random("thirteen")
    assert shown_size(io.BytesIO(whole)) == WIDE
    at = whole.index(b"moov")
    for _ in range(2000):
        spoiled = bytearray(whole[at - 4 : at + 4000])
        for _ in range(chance.randint(1, 4)):
            spoiled[chance.randrange(len(spoiled))] = chance.choice((0, 1, 0x7F, 0xFF, chance.randrange(256)))
        size = shown_size(io.BytesIO(bytes(spoiled[: chance.randint(8, len(spoiled))])))
        assert size is None or min(size) > 0
