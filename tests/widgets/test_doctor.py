"""The `Doctor` without a browser: what a page is told, what it is believed, what a saved notebook keeps."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

import spnb
from tests.conftest import RunningSandbox
from tests.widgets.test_widgets import Sent, command, state_of, until


def test_a_page_is_given_what_proves_a_road_and_its_findings_are_kept(sandbox: RunningSandbox) -> None:
    secret = "a relay's password"
    with spnb.connect(
        "doctor",
        url=sandbox.url,
        api_key=sandbox.api_key,
        ice_servers=[{"urls": "turn:r.example", "username": "u", "credential": secret}],
    ) as sp:
        doctor = spnb.Doctor(sp)
        sent = Sent(doctor)
        assert "No page has been examined yet" in repr(doctor)
        assert not doctor.wait(0)
        command(doctor, "begin")
        until(lambda: sent.messages)
        told = sent.messages[-1][0]
        assert told["url"].rstrip("/") == sandbox.url
        challenge, answer = told["signpost"]["challenge"], told["signpost"]["answer"]
        asked = f"{sandbox.url}/sandbox/proof?challenge={challenge}"
        with httpx.Client(trust_env=False, timeout=60) as page:
            assert page.get(asked).json() == {"proof": answer}
            loaded = page.get(f"{asked}&load=65536")
            assert loaded.json()["proof"] == answer
            assert len(loaded.content) >= 65_536
            for wrong in ("-1", "9999999", "x"):
                assert page.get(f"{asked}&load={wrong}").status_code == 422
        # What relays want stays in the message.
        assert secret in str(told["servers"])
        assert secret not in state_of(doctor) + repr(doctor)

        command(doctor, "echo", b"12345", ask=1, wanted=1000)
        until(lambda: sent.messages[-1][0]["type"] == "echo")
        assert len(sent.messages[-1][1][0]) == 1000
        command(doctor, "echo", ask=2, wanted=2**30)
        until(lambda: "an echo has" in doctor.error)

        found: list[Any] = [
            {"key": "jupyter", "name": "By name", "works": True, "delay": 3.14, "down": 20_000, "up": None, "why": ""},
            {
                "key": "<b>",
                "name": "x" * 999,
                "works": "yes",
                "delay": -1,
                "down": "fast",
                "up": float("inf"),
                "why": "no",
            },
            "nonsense",
        ]
        command(doctor, "found", rungs=found, verdict="Streams reach this page through the Jupyter server.")
        until(lambda: doctor.wait(0))
        assert doctor.rungs[0]["delay"] == 3.1
        odd = doctor.rungs[1]
        assert (odd["key"], odd["works"], odd["delay"], odd["down"], odd["up"]) == ("", False, None, None, None)
        assert len(doctor.rungs) == 2
        assert "✓ By name: 3 ms, 20.0 Mb/s to the page" in repr(doctor)
        doctor.close()


@pytest.mark.media
def test_a_page_whose_media_connect_hears_itself(sandbox: RunningSandbox) -> None:
    from aiortc import RTCPeerConnection, RTCSessionDescription

    from spnb._loop import run

    async def connect(answered: Any, ask: Any) -> list[str]:
        import asyncio

        heard: asyncio.Queue[str] = asyncio.Queue()
        peer = RTCPeerConnection()
        channel = peer.createDataChannel("doctor")
        opened = asyncio.Event()
        channel.on("open", opened.set)
        channel.on("message", heard.put_nowait)
        await peer.setLocalDescription(await peer.createOffer())
        ask(peer.localDescription.sdp)
        async with asyncio.timeout(60):
            answer = await answered()
            await peer.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))
            await opened.wait()
            channel.send("?")
            channel.send(bytes(1000))
            channel.send(bytes(24))
            said = [await heard.get() for _ in range(3)]
        await peer.close()
        return said

    with spnb.connect("doctor", url=sandbox.url, api_key=sandbox.api_key) as sp:
        doctor = spnb.Doctor(sp)
        sent = Sent(doctor)

        async def answered() -> str:
            import asyncio

            while not sent.messages:
                await asyncio.sleep(0.01)
            return str(sent.messages[-1][0]["sdp"])

        assert run(connect(answered, lambda sdp: command(doctor, "offer", sdp=sdp, ask=1))) == ["?", "1000", "1024"]
        doctor.close()
