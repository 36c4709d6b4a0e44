"""An encoder whose pictures carry the time of day: FFmpeg's own WHIP client, or its command that sends by RTMP.

`python -m tests.ingest.encoder whip` sends to `WHIP_URL` with the token `WHIP_TOKEN`, and the certificate and key in
the file `WHIP_CERTIFICATE`: a program of its own, since that client connects while no other thread of its process runs.
`… flv` writes to its output.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np

from spnb.broadcast.sources import TestCard
from spnb.broadcast.sources.card import tone
from tests.certificates import write_certificate
from tests.conftest import ffmpeg

WIDTH, HEIGHT, FPS = 320, 180, 25


@asynccontextmanager
async def on_air(way: Literal["whip", "rtmp"], address: str, key: str, folder: Path) -> AsyncIterator[None]:
    """Send for as long as the block lasts.

    Args:
        way: how.
        address: the endpoint, or the server.
        key: the stream key.
        folder: takes a certificate.
    """
    whip = way == "whip"
    told = {"WHIP_URL": address, "WHIP_TOKEN": key, "WHIP_CERTIFICATE": str(write_certificate(folder / "whip.pem"))}
    card = subprocess.Popen(
        [sys.executable, "-m", "tests.ingest.encoder", "whip" if whip else "flv"],
        env={**os.environ, **told},
        stdout=None if whip else subprocess.PIPE,
    )
    processes = [card]
    if not whip:
        command = [ffmpeg(), "-v", "error", "-f", "flv", "-i", "pipe:0", "-c", "copy", "-f", "flv", f"{address}/{key}"]
        processes.append(subprocess.Popen(command, stdin=card.stdout))
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            await asyncio.to_thread(process.wait)
        if card.stdout is not None:
            card.stdout.close()


def _container(way: str) -> tuple[Any, str]:
    """Where to write, and the codec of its sound."""
    if way == "flv":
        return av.open(sys.stdout.buffer, "w", format="flv", options={"flvflags": "no_duration_filesize"}), "aac"
    # A certificate that it makes by itself is on a curve (P-224, by GnuTLS) that neither OpenSSL nor Pion takes.
    mine = dict.fromkeys(("cert_file", "key_file"), os.environ["WHIP_CERTIFICATE"])
    # A busy machine shakes hands slowly: by itself it gives up after 5 s.
    options = {"authorization": os.environ["WHIP_TOKEN"], "handshake_timeout": "60000", **mine}
    return av.open(os.environ["WHIP_URL"], "w", format="whip", options=options), "libopus"


def main(way: str) -> None:
    """Send test cards whose number is the time of day, `FPS` to a second, with their tone."""
    container, codec = _container(way)
    coding = {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline", "g": str(FPS)}
    video = container.add_stream("libx264", rate=FPS, options=coding)
    video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    audio = container.add_stream(codec, rate=48_000)
    audio.layout, audio.format = "stereo", "fltp" if codec == "aac" else "s16"
    # Its time begins when it is connected: else all that it sends is as late as connecting took.
    container.start_encoding()
    card, samples, first, heard = TestCard(WIDTH, HEIGHT, FPS), 48_000 // FPS, int(time.time() * FPS), 0
    while True:
        time.sleep(max(0.0, (first + heard) / FPS - time.time()))
        # A busy machine shows fewer pictures, as encoders of shows do, rather than all of them later and later.
        number = max(first + heard, int(time.time() * FPS))
        planes = np.frombuffer(card.picture(number), np.uint8).reshape(HEIGHT * 3 // 2, WIDTH)
        picture = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        picture.pts, picture.time_base = number - first, Fraction(1, FPS)
        container.mux(video.encode(picture))
        while heard <= number - first:
            sound = np.repeat(np.frombuffer(tone((first + heard) * samples, samples), np.int16), 2)
            frame = av.AudioFrame.from_ndarray(sound[None], format="s16", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = 48_000, heard * samples, Fraction(1, 48_000)
            container.mux(audio.encode(frame))
            heard += 1


if __name__ == "__main__":
    main(sys.argv[1])
