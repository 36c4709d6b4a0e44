"""`MediaFile` plays what players play, as they show it, or says why not."""

from __future__ import annotations

import contextlib
import itertools
import math
import statistics
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from spnb.broadcast.options import VideoOptions
from spnb.broadcast.sources import MediaFile
from spnb.broadcast.sources.picture import _to_sdr
from spnb.broadcast.sources.timing import Timeline
from spnb.errors import InvalidInput, SourceError
from tests.broadcast.films import RATE, Taken, beeps, film, flashes, planes, tone, turned
from tests.broadcast.odd_files import still

# What keeps time drops pictures that come too late: no test for a process that gives way.
pytestmark = pytest.mark.media


def played(path: Path, *, loop: bool = False) -> Taken:
    source, taken = MediaFile(path, loop=loop), Taken()
    source.open()
    source.start(taken)
    taken.until(taken.over, 40)
    source.close()
    return taken


def test_options_reach_native_code_only_within_its_limits() -> None:
    for wish in ({"width": 8}, {"width": math.nan}, {"fps": math.nan}, {"fps": math.inf}, {"bitrate": 2**40}):
        with pytest.raises(InvalidInput):
            VideoOptions(**wish)
    assert VideoOptions(width=16).fit(4000, 20, 30) == (16, 16, 30)


@pytest.mark.parametrize(
    ("matrix", "size", "corner"),
    [
        ((0, 1, -1, 0), (180, 320), "top right"),  # a quarter to the right
        ((-1, 0, 0, -1), (320, 180), "bottom right"),
        ((0, -1, 1, 0), (180, 320), "bottom left"),
        ((-1, 0, 0, 1), (320, 180), "top right"),  # a mirror, as cameras beside a screen are
        ((1, 0, 0, -1), (320, 180), "bottom left"),
        ((0, 1, 1, 0), (180, 320), "top left"),  # mirrored, and a quarter turned
        ((0, -1, -1, 0), (180, 320), "bottom right"),
        ((0, 0, 0, 0), (320, 180), "top left"),  # says nothing
    ],
)
def test_a_film_of_a_phone_is_shown_upright(
    tmp_path: Path, matrix: tuple[int, int, int, int], size: tuple[int, int], corner: str
) -> None:
    def marked(_number: int) -> Any:
        picture = np.full((270, 320), 40, np.uint8)
        picture[180:] = 128
        picture[:60, :60] = 235  # top left
        return av.VideoFrame.from_ndarray(picture, format="yuv420p")

    path = turned(film(tmp_path / "phone.mp4", seconds=0.4, sound=False, pictures=marked), matrix)
    source = MediaFile(path)
    source.open()
    assert (source.width, source.height) == size
    source.close()
    _, luma = played(path).pictures[0]
    shown = {
        "top left": luma[10:40, 10:40],
        "top right": luma[10:40, -40:-10],
        "bottom left": luma[-40:-10, 10:40],
        "bottom right": luma[-40:-10, -40:-10],
    }
    assert [place for place, part in shown.items() if part.mean() > 150] == [corner]


def test_pixels_that_are_not_square_are_made_so(tmp_path: Path) -> None:
    def wide(stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)

    path = film(tmp_path / "wide.mp4", seconds=0.4, sound=False, size=(240, 180), set_up=wide)
    source = MediaFile(path)
    source.open()
    assert (source.width, source.height) == (320, 180)
    source.close()
    assert played(path).pictures[0][1].shape == (180, 320)


@pytest.mark.parametrize(("transfer", "grey"), [(16, 0.58), (18, 0.75)])
def test_hdr_is_brought_into_the_range_of_a_screen(tmp_path: Path, transfer: int, grey: float) -> None:
    """White of 203 cd/m², which is 58 % of PQ's scale and 75 % of HLG's (ITU-R BT.2408), is white on any screen."""
    code = round(64 + grey * 876)

    def bright(_number: int) -> Any:
        frame = av.VideoFrame(320, 180, "yuv420p10le")
        for plane, value in zip(frame.planes, (code, 512, 512), strict=True):
            plane.update(np.full(plane.buffer_size // 2, value, np.uint16).tobytes())
        return frame

    def tagged(stream: Any) -> None:
        stream.pix_fmt = "yuv420p10le"
        stream.codec_context.color_trc, stream.codec_context.color_primaries = transfer, 9
        stream.codec_context.colorspace, stream.codec_context.color_range = 9, 1

    path = film(tmp_path / "hdr.mkv", seconds=0.2, sound=False, codec="libx265", pictures=bright, set_up=tagged)
    luma = played(path).pictures[0][1]
    assert 190 < luma.mean() <= 236
    assert luma.std() < 2
    ramp = _to_sdr(np.repeat(np.linspace(0, 1, 65)[:, None], 3, axis=1), transfer)[:, 0]
    assert (np.diff(ramp) >= -1e-9).all()
    assert ramp[0] < 0.01
    assert ramp[-1] > 0.97


@pytest.mark.media
@pytest.mark.parametrize("fps", [25, 1])
def test_picture_and_sound_come_when_they_are_due(tmp_path: Path, fps: int) -> None:
    """Also where a decoder holds pictures back for seconds: B-frames, threads, slides of one picture a second."""
    seconds = 4 if fps == 25 else 6
    path = film(tmp_path / "paced.mp4", seconds=seconds, fps=fps, options={"bf": "3", "x264-params": "rc-lookahead=5"})
    taken = played(path)
    assert taken.ends == 1
    if fps == 1:
        # The first may itself be late on a busy machine: it is the least late that tells when they were due.
        due = min(at - number for number, (at, _) in enumerate(taken.pictures))
        late = [at - due - number for number, (at, _) in enumerate(taken.pictures)]
    else:
        late = [shown - heard for shown, heard in zip(flashes(taken), beeps(taken), strict=False)][1:]
    assert len(late) >= 3
    assert abs(statistics.median(late)) <= 0.04


def test_damage_in_the_middle_is_left_out_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = film(tmp_path / "damaged.ts", seconds=3, options={"g": "10"})
    data = bytearray(path.read_bytes())
    noise = np.random.default_rng(1).integers(0, 255, len(data) // 10, np.uint8).tobytes()
    data[len(data) // 3 : len(data) // 3 + len(noise)] = noise
    path.write_bytes(data)
    taken = played(path)
    assert (taken.ends, taken.reasons) == (1, [])
    assert max(number for number in taken.numbers if number is not None) == 74
    # A file whose packets are whole while their content is not: the decoder fails, and the film goes on.
    broken = film(tmp_path / "broken.mkv", seconds=2, options={"g": "10"})
    data = bytearray(broken.read_bytes())
    keyframe = data.index(b"\x65\x88", len(data) // 3)
    data[keyframe - 4 : keyframe + 400] = bytes(404)
    broken.write_bytes(data)
    taken = played(broken)
    assert (taken.ends, taken.reasons) == (1, [])
    assert max(number for number in taken.numbers if number is not None) == 49
    assert "left out" in caplog.text


def test_stamps_that_restart_go_on_where_they_were(tmp_path: Path) -> None:
    """Two recordings joined byte by byte, as transport streams are."""
    first = film(tmp_path / "first.ts", seconds=2)
    joined = tmp_path / "joined.ts"
    joined.write_bytes(first.read_bytes() * 2)
    taken = played(joined)
    assert taken.ends == 1
    assert len(taken.pictures) > 55  # of both, though a busy machine leaves late ones out
    assert 3.7 <= taken.pictures[-1][0] - taken.pictures[0][0] <= 6
    assert 3.7 <= taken.seconds_of_sound <= 4.4
    last = list(flashes(taken))[-1]
    assert min(abs(last - heard) for heard in beeps(taken)) <= 0.06


def test_stamps_that_jump_are_not_waited_for() -> None:
    line = Timeline()
    assert line.shift(0, 5.0) == -5
    assert line.shift(1, 5.1) == -5
    shift = line.shift(0, 605.0)  # ten minutes on, by nothing but the stamps
    assert 0 <= 605 + shift - 0.1 <= 0.2
    assert line.shift(1, 605.1) == shift  # the other stream goes along by as much
    assert line.shift(0, 605.2) == shift
    assert line.jumps == 1


def test_a_stream_may_be_silent_while_another_goes_on() -> None:
    line = Timeline()
    for tenth in range(300):
        assert line.shift(1, tenth / 10) == 0
    assert line.shift(0, 29.5) == 0
    assert line.jumps == 0


def test_pictures_without_stamps_are_given_them(tmp_path: Path) -> None:
    path = film(tmp_path / "raw.h264", seconds=2, sound=False, options={"bf": "0"})
    taken = played(path)
    assert taken.ends == 1
    assert 25 < len(taken.pictures) <= 50  # a busy machine leaves late ones out
    assert 1.5 <= taken.pictures[-1][0] - taken.pictures[0][0] <= 4


def test_a_file_in_which_nothing_can_be_played_is_told_once(tmp_path: Path) -> None:
    """And is not asked again and again, though it is to be played in a loop."""
    path = film(tmp_path / "empty.mkv", seconds=2, sound=False, options={"g": "1"})
    source, taken = MediaFile(path, loop=True), Taken()
    source.open()
    film(path, seconds=2, sound=False, size=(160, 90))  # becomes another film while it is played
    source.start(taken)
    taken.until(lambda: taken.reasons, 30)
    source.close()
    assert "another file" in taken.reasons[0]
    assert taken.ends == 0


def test_sound_may_change_its_layout_and_rate(tmp_path: Path) -> None:
    path = tmp_path / "changing.ts"
    with path.open("wb") as joined:
        for rate, layout in ((48_000, "mono"), (44_100, "stereo"), (22_050, "mono")):
            part = tmp_path / "part.ts"
            with av.open(str(part), "w") as container:
                stream: Any = container.add_stream("mp2", rate=rate, layout=layout)
                for number in range(rate // 1152):
                    wave = (9000 * np.sin(2 * np.pi * 440 * (np.arange(1152) + number * 1152) / rate)).astype(np.int16)
                    frame = av.AudioFrame.from_ndarray(
                        (wave if layout == "mono" else np.repeat(wave, 2))[None], format="s16", layout=layout
                    )
                    frame.sample_rate, frame.pts, frame.time_base = rate, number * 1152, Fraction(1, rate)
                    container.mux(stream.encode(frame))
                container.mux(stream.encode(None))
            joined.write(part.read_bytes())
    taken = played(path)
    assert (taken.ends, taken.reasons) == (1, [])
    assert 2.6 <= taken.seconds_of_sound <= 3.4
    samples = np.concatenate([piece for _, piece in taken.sound]).astype(float)
    for third in np.array_split(samples, 3):
        middle = third[len(third) // 4 : -len(third) // 4]
        strongest = np.fft.rfftfreq(len(middle), 1 / RATE)[
            np.abs(np.fft.rfft(middle * np.hanning(len(middle)))).argmax()
        ]
        assert abs(strongest - 440) < 10


def test_a_picture_that_changes_its_size_is_fitted_not_stretched(tmp_path: Path) -> None:
    """Each size anew: a square one stands between black, a low and small one is made as wide as there is room."""
    joined = tmp_path / "sizes.ts"
    sizes = ((480, 270), (270, 270), (320, 90))
    parts = [film(tmp_path / f"{size[0]}.ts", seconds=1, size=size, sound=False) for size in sizes]
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    taken = played(joined)
    assert {luma.shape for _, luma in taken.pictures} == {(270, 480)}
    square = [luma for _, luma in taken.pictures if luma[:, :90].mean() < 20]
    assert square
    assert square[-1][:, -90:].mean() < 20
    assert square[-1][:, 120:360].mean() > 40
    _, low = taken.pictures[-1]
    assert low[:60].mean() < 20
    assert low[-60:].mean() < 20
    assert low[75:195, :90].mean() > 40
    assert low[75:195, -90:].mean() > 40


def song(path: Path, *, cover: bool) -> Path:
    with av.open(str(path), "w") as container:
        audio: Any = container.add_stream("aac", rate=RATE, layout="mono")
        video: Any = None
        if cover:
            video = container.add_stream("mjpeg", rate=1)
            video.width, video.height, video.pix_fmt = 200, 200, "yuvj420p"
            video.disposition = av.stream.Disposition.attached_pic
        for number in range(48):
            frame = av.AudioFrame.from_ndarray(tone(number * 1024, 1024)[None], format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, number * 1024, Fraction(1, RATE)
            container.mux(audio.encode(frame))
        if video is not None:
            white = av.VideoFrame.from_ndarray(np.full((200, 200, 3), 255, np.uint8), format="rgb24")
            container.mux(video.encode(white.reformat(format="yuvj420p")))
            container.mux(video.encode(None))
        container.mux(audio.encode(None))
    return path


@pytest.mark.parametrize("cover", [True, False])
def test_sound_alone_goes_out_with_its_cover_or_a_card(tmp_path: Path, cover: bool) -> None:
    path = song(tmp_path / ("song.mp4" if cover else "song.aac"), cover=cover)
    source = MediaFile(path)
    source.open()
    assert (source.width, source.height, source.has_audio) == (1280, 720, True)
    source.close()
    taken = played(path)
    assert taken.ends == 1
    assert 0.9 <= taken.seconds_of_sound <= 1.2
    assert len(taken.pictures) >= 4
    middle = taken.pictures[0][1][200:520, 500:780].mean()
    assert middle > 200 if cover else middle < 120


def test_texts_are_no_films(tmp_path: Path) -> None:
    for name, text in (
        ("notes.txt", "Dear diary\n" * 50),
        ("notes.md", "# Plan\n" * 50),
        ("table.csv", "a,b\n1,2\n" * 20),
        ("lines.srt", "1\n00:00:00,000 --> 00:00:02,000\nhello\n\n"),
        ("page.html", "<html><body>film</body></html>"),
        ("list.m3u8", "#EXTM3U\n#EXTINF:2,\nhttp://127.0.0.1:9/x.ts\n"),
    ):
        path = tmp_path / name
        path.write_text(text)
        with pytest.raises(SourceError):
            MediaFile(path).open()
    with pytest.raises(SourceError, match="LiveURL"):
        MediaFile("https://example.com/live.m3u8").open()


def test_a_cut_off_film_is_played_as_far_as_it_goes(tmp_path: Path) -> None:
    path = film(tmp_path / "cut.mkv", seconds=2)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    taken = played(path)
    assert taken.ends == 1
    numbers = [number for number in taken.numbers if number is not None]
    assert all(later > earlier for earlier, later in itertools.pairwise(numbers))
    assert 15 < len(numbers) < 50


def test_hostile_files_neither_hang_nor_end_the_process(tmp_path: Path) -> None:
    """Some hundred films with bytes changed at random: each plays, or is refused in words."""
    whole = {kind: film(tmp_path / f"whole.{kind}", seconds=0.2).read_bytes() for kind in ("mp4", "mkv", "ts")}
    rng = np.random.default_rng(7)
    for number, (kind, data) in itertools.product(range(40), whole.items()):
        changed = bytearray(data)
        for at in rng.integers(0, len(changed), 1 + number):
            changed[at] = rng.integers(0, 256)
        path = tmp_path / f"changed.{kind}"
        path.write_bytes(changed)
        source = MediaFile(path)
        with contextlib.suppress(SourceError):
            source.open()
            reader = source._reader
            assert reader is not None
            frames = 0
            while (found := reader.next()) is not None:
                frames += 1
                assert frames < 1000
                if isinstance(found[1], av.VideoFrame) and source._fitter is not None:
                    source._fitter.fitted(found[1])
        source.close()


def test_a_still_in_a_loop_keeps_nobody_busy(tmp_path: Path) -> None:
    """It is opened anew as often as a card is shown, not at 25 pictures a second."""
    began: list[float] = []

    class Noted(MediaFile):
        def _push_all(self, sink: Any, pace: Any, offset: float) -> float:
            began.append(offset)
            return super()._push_all(sink, pace, offset)

    source, taken = Noted(still("png")(tmp_path / "still"), loop=True), Taken()
    source.open()
    source.start(taken)
    taken.until(lambda: len(taken.pictures) >= 3)
    source.close()
    assert began[:3] == pytest.approx([0, 0.2, 0.4])


def test_planes_are_numbered() -> None:
    """What the other tests stand on."""
    assert planes(7).width == 320
