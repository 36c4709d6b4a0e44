"""Odd media files, one of each kind that people have met: each plays, or is refused in words.

What is made here is read by `test_odd_files.py`, all of it, as fast as it goes.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from tests.broadcast.films import RATE, film, planes, tone, turned

__all__ = ["PLAYED", "REFUSED", "Plays", "still"]

Make = Callable[[Path], Any]


@dataclass(frozen=True)
class Plays:
    """What comes of a file.

    Attributes:
        make: makes it, at a path without an ending; gives its path.
        size: pixels of the picture as it goes out.
        seconds: how long it is.
        pictures: how many come at least.
        sound: seconds of sound; none with 0.
        back: seconds that a picture may be due before the last one: where some are damaged, others are in their place.
    """

    make: Make
    size: tuple[int, int] = (320, 180)
    seconds: float = 1.0
    pictures: int = 8
    sound: float = 0.0
    back: float = 0.0


def small(path: Path, kind: str = "mkv", **options: Any) -> Path:
    """A second of ten pictures, silent unless told otherwise."""
    return film(path.with_suffix(f".{kind}"), **{"seconds": 1, "fps": 10, "sound": False, **options})


def plain(width: int, height: int, kind: str = "yuv420p") -> Callable[[int], Any]:
    return lambda _number: av.VideoFrame(width, height, kind)


def of_kind(codec: str, pixels: str, kind: str = "mkv") -> Make:
    """Pictures of another pixel format."""

    def set_up(stream: Any) -> None:
        stream.pix_fmt = pixels

    def draw(number: int) -> Any:
        return planes(number).reformat(format=pixels)

    return lambda path: small(path, kind, codec=codec, set_up=set_up, pictures=draw)


def sized(width: int, height: int) -> Make:
    def set_up(stream: Any) -> None:
        stream.pix_fmt = "rgb24"

    drawn = plain(width, height, "rgb24")
    return lambda path: small(path, "mov", codec="png", size=(width, height), set_up=set_up, pictures=drawn)


def shaped(width: int, height: int, aspect: Fraction) -> Make:
    """Pixels that are not square."""

    def set_up(stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = aspect

    return lambda path: small(path, "mp4", size=(width, height), set_up=set_up, pictures=plain(width, height))


def tagged(**colours: int) -> Make:
    def set_up(stream: Any) -> None:
        stream.pix_fmt = "yuv420p10le"
        for name, value in colours.items():
            setattr(stream.codec_context, name, value)

    grey = plain(320, 180, "yuv420p10le")
    return lambda path: small(path, codec="libx265", set_up=set_up, pictures=grey)


def on_its_side(*matrix: int) -> Make:
    a, b, c, d = matrix
    return lambda path: turned(small(path, "mp4"), (a, b, c, d))


def heard(kind: str, codec: str, *, rate: int = RATE, layout: str = "stereo", cover: bool = False) -> Make:
    """A second of sound, with a cover where that is asked for."""

    def make(path: Path) -> Path:
        whole = path.with_suffix(f".{kind}")
        with av.open(str(whole), "w") as container:
            audio: Any = container.add_stream(codec, rate=rate, layout=layout)
            picture: Any = container.add_stream("mjpeg", rate=1) if cover else None
            if picture is not None:
                picture.width, picture.height, picture.pix_fmt = 64, 64, "yuvj420p"
                picture.disposition = av.stream.Disposition.attached_pic
                white = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 255, np.uint8), format="rgb24")
                container.mux(picture.encode(white.reformat(format="yuvj420p")))
                container.mux(picture.encode(None))
            layouts = av.AudioResampler(format=audio.format, layout=layout, rate=rate)
            for first in range(0, rate, rate // 50):
                frame = av.AudioFrame.from_ndarray(tone(first, rate // 50, rate)[None], format="fltp", layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = rate, first, Fraction(1, rate)
                for piece in layouts.resample(frame):
                    container.mux(audio.encode(piece))
            container.mux(audio.encode(None))
        return whole

    return make


def moved(path: Path, shift: Callable[[int, Any], int | None], kind: str = "mkv", seconds: float = 1) -> Path:
    """A film whose stamps, in ticks of a millisecond, are what a function makes of a packet's number."""
    whole = film(path.with_suffix(".whole.mkv"), seconds=seconds, fps=10, options={"bf": "0", "g": "5"})
    out = path.with_suffix(f".{kind}")
    with av.open(str(whole)) as read, av.open(str(out), "w", options={"avoid_negative_ts": "disabled"}) as written:
        streams = {stream.index: written.add_stream_from_template(stream) for stream in read.streams}
        for number, packet in enumerate(read.demux()):
            if packet.size and packet.pts is not None:
                stamp = shift(number, packet)
                if stamp is not None:
                    packet.pts = packet.dts = stamp
                    packet.stream = streams[packet.stream.index]
                    written.mux(packet)
    return out


def ten_minutes_on(path: Path) -> Path:
    return moved(path, lambda _number, packet: packet.pts + (600_000 if packet.pts >= 500 else 0))


def joined(path: Path) -> Path:
    whole, twice = small(path, "part.ts", sound=True), path.with_suffix(".ts")
    twice.write_bytes(whole.read_bytes() * 2)
    return twice


def sizes_that_change(path: Path) -> Path:
    first, second = small(path, "one.h264"), small(path, "two.h264", size=(180, 320), pictures=plain(180, 320))
    whole = path.with_suffix(".h264")
    whole.write_bytes(first.read_bytes() + second.read_bytes())
    return whole


def sounds_that_change(path: Path) -> Path:
    parts = [
        heard("ts", "mp2", rate=rate, layout=layout)(path.with_name(f"part{rate}"))
        for rate, layout in ((48_000, "mono"), (44_100, "stereo"), (22_050, "mono"))
    ]
    whole = path.with_suffix(".ts")
    whole.write_bytes(b"".join(part.read_bytes() for part in parts))
    return whole


def damaged(kind: str, share: float = 0.1) -> Make:
    def make(path: Path) -> Path:
        whole = small(path, kind, seconds=2, sound=True, options={"g": "5"})
        data = bytearray(whole.read_bytes())
        begin, count = len(data) // 2, int(len(data) * share)
        data[begin : begin + count] = np.random.default_rng(3).integers(0, 255, count, np.uint8).tobytes()
        whole.write_bytes(data)
        return whole

    return make


def cut_off(kind: str, share: float) -> Make:
    def make(path: Path) -> Path:
        whole = small(path, kind, seconds=2, options={"g": "5"})
        whole.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * share)])
        return whole

    return make


def still(kind: str, size: tuple[int, int] = (320, 180), pixels: str = "rgb24") -> Make:
    codec = {"png": "png", "jpg": "mjpeg", "bmp": "bmp", "gif": "gif"}[kind]

    def make(path: Path) -> Path:
        encoder: Any = av.CodecContext.create(codec, "w")
        encoder.width, encoder.height, encoder.pix_fmt = *size, pixels
        encoder.time_base = Fraction(1, 25)
        picture = av.VideoFrame(*size, "yuv420p").reformat(format=pixels)
        picture.pts, picture.time_base = 0, Fraction(1, 25)
        data = b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])
        out = path.with_suffix(f".{kind}")
        out.write_bytes(data)
        return out

    return make


def content(data: str | bytes, kind: str) -> Make:
    def make(path: Path) -> Path:
        out = path.with_suffix(f".{kind}")
        out.write_bytes(data if isinstance(data, bytes) else data.encode())
        return out

    return make


def archive() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as packed:
        packed.writestr("film.mp4", b"none")
    return made.getvalue()


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def silence_first(path: Path) -> Path:
    """Sound that begins after the picture."""
    return moved(path, lambda _number, one: one.pts if one.stream.type == "video" or one.pts >= 500 else None)


PQ = {"color_trc": 16, "color_primaries": 9, "colorspace": 9, "color_range": 1}
CARD = (1280, 720)

PLAYED: dict[str, Plays] = {
    "16×16": Plays(sized(16, 16), (16, 16)),
    "17×17": Plays(sized(17, 17), (16, 16)),
    "odd sides": Plays(sized(321, 181), (320, 180)),
    "larger than encoders take": Plays(sized(4096, 64), (3840, 60), pictures=1),
    "turned right": Plays(on_its_side(0, 1, -1, 0), (180, 320)),
    "turned left": Plays(on_its_side(0, -1, 1, 0), (180, 320)),
    "mirrored": Plays(on_its_side(-1, 0, 0, 1), (320, 180)),
    "mirrored and turned": Plays(on_its_side(0, 1, 1, 0), (180, 320)),
    "upside down": Plays(on_its_side(-1, 0, 0, -1)),
    "wide pixels": Plays(shaped(240, 180, Fraction(4, 3)), (320, 180)),
    "high pixels": Plays(shaped(320, 180, Fraction(1, 2)), (160, 180)),
    "pixels of a shape that is none": Plays(shaped(320, 180, Fraction(1000, 1))),
    "HDR of a phone (HLG)": Plays(tagged(**{**PQ, "color_trc": 18})),
    "HDR of a camera (PQ)": Plays(tagged(**PQ)),
    "ten bits": Plays(tagged(color_trc=1)),
    "grey": Plays(of_kind("ffv1", "gray")),
    "4:4:4": Plays(of_kind("libx264", "yuv444p")),
    "4:2:2 of an old camera": Plays(of_kind("mjpeg", "yuvj422p", "avi")),
    "see-through": Plays(of_kind("png", "rgba", "mov")),
    "an animation of 256 colours": Plays(of_kind("gif", "rgb8", "gif")),
    "WebM": Plays(lambda path: small(path, "webm", codec="libvpx")),
    "AVI": Plays(lambda path: small(path, "avi", codec="mpeg4")),
    "FLV": Plays(lambda path: small(path, "flv", sound=True), sound=1),
    "one picture a second": Plays(lambda path: small(path, fps=1, seconds=3), seconds=3, pictures=3),
    "120 pictures a second": Plays(lambda path: small(path, "mp4", fps=120), pictures=110),
    "pictures that refer to later ones": Plays(lambda path: small(path, "mp4", options={"bf": "3"}), pictures=10),
    "noise in a transport stream": Plays(damaged("ts"), seconds=2, sound=2, back=0.5),
    "noise in Matroska": Plays(damaged("mkv"), seconds=2, sound=2, back=0.5),
    "noise in MP4": Plays(damaged("mp4"), seconds=2, sound=2, back=0.5),
    "a download that broke off": Plays(cut_off("mkv", 0.7), seconds=2),
    "stamps that restart": Plays(joined, seconds=2, pictures=18, sound=2),
    "stamps that jump by ten minutes": Plays(ten_minutes_on, pictures=9, sound=1),
    "stamps that begin at ten hours": Plays(
        lambda path: moved(path, lambda _number, one: one.pts + 36_000_000), pictures=9, sound=1
    ),
    "stamps that begin below zero": Plays(
        lambda path: moved(path, lambda _number, one: one.pts - 200, "ts"), pictures=9, sound=1
    ),
    "no stamps (raw H.264)": Plays(lambda path: small(path, "h264"), pictures=10),
    "no stamps (raw MPEG-4)": Plays(lambda path: small(path, "m4v", codec="mpeg4"), pictures=9),
    "no stamps (raw JPEGs)": Plays(of_kind("mjpeg", "yuvj420p", "mjpeg"), seconds=0.4),
    "sound that begins late": Plays(silence_first, pictures=9, sound=0.5),
    "sizes that change": Plays(sizes_that_change, seconds=0.8, pictures=18),
    "layouts and rates that change": Plays(sounds_that_change, CARD, 3, 0, sound=3),
    "a still picture": Plays(still("png"), seconds=0.04, pictures=1),
    "a photo": Plays(still("jpg", pixels="yuvj420p"), seconds=0.04, pictures=1),
    "a song with a cover (MP3)": Plays(heard("mp3", "mp3", cover=True), CARD, 1, 0, sound=1),
    "a song with a cover (MP4)": Plays(heard("mp4", "aac", cover=True), CARD, 1, 0, sound=1),
    "a song with a cover (FLAC)": Plays(heard("flac", "flac", cover=True), CARD, 1, 0, sound=1),
    "a song (AAC)": Plays(heard("aac", "aac"), CARD, 1, 0, sound=1),
    "a song (MP2)": Plays(heard("mp2", "mp2"), CARD, 1, 0, sound=1),
    "a song (Opus)": Plays(heard("opus", "libopus"), CARD, 1, 0, sound=1),
    "a telephone's sound": Plays(heard("wav", "pcm_mulaw", rate=8000, layout="mono"), CARD, 1, 0, sound=1),
    "sound of 8 bits": Plays(heard("wav", "pcm_u8", rate=11_025, layout="mono"), CARD, 1, 0, sound=1),
    "sound of a studio": Plays(heard("wav", "pcm_s32le", rate=96_000), CARD, 1, 0, sound=1),
    "sound of a cinema": Plays(heard("flac", "flac", layout="5.1"), CARD, 1, 0, sound=1),
}
TINY = [(side, side) for side in range(2, 16)] + [(16, 8), (8, 64), (7680, 16)]
REFUSED: dict[str, tuple[Make, str]] = {
    **{f"{width}×{height}": (sized(width, height), f"{width}×{height}.*16×16") for width, height in TINY},
    "one pixel": (still("png", (1, 1)), "1×1.*16×16"),
    "too narrow as it is shown": (shaped(16, 64, Fraction(1, 4)), "shown as 4×64"),
    "text": (content("Dear diary\n" * 50, "txt"), "."),
    "a table": (content("a,b\n1,2\n" * 20, "csv"), "."),
    "a page": (content("<html><body>film</body></html>", "html"), "."),
    "a drawing": (content("<svg xmlns='http://www.w3.org/2000/svg'/>", "svg"), "."),
    "subtitles": (content("1\n00:00:00,000 --> 00:00:02,000\nhello\n\n", "srt"), "neither picture nor sound"),
    "a playlist": (content("#EXTM3U\n#EXTINF:2,\nhttp://127.0.0.1:9/x.ts\n", "m3u8"), "."),
    "a list of other files": (content("ffconcat version 1.0\nfile /etc/passwd\n", "ffconcat"), "."),
    "an archive": (content(archive(), "zip"), "."),
    "nothing": (content(b"", "mp4"), "no media file"),
    "zeros": (content(bytes(5000), "mp4"), "."),
    "noise": (content(np.random.default_rng(5).integers(0, 255, 5000, np.uint8).tobytes(), "mp4"), "."),
    "a film without its index": (cut_off("mp4", 0.5), "no media file"),
    "a folder": (folder, "no file"),
    "a file that is not there": (lambda path: path / "none.mp4", "no file"),
    "a box that says it is larger than the file": (
        content(
            struct.pack(">I4s4sI4s", 20, b"ftyp", b"isom", 0, b"isom") + struct.pack(">I4s", 2**31, b"moov"), "mp4"
        ),
        ".",
    ),
}
