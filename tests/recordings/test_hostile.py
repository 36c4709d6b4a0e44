"""Downloads from servers that fail or mean harm: real HTTP, real files, real limits of the system."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import ipaddress
import subprocess
import sys
from pathlib import Path

import pytest
from starlette.responses import PlainTextResponse, Response

from spnb._loop import run
from spnb.client.reach import Reach, is_loopback
from spnb.errors import DownloadError, InvalidInput, Unreachable
from spnb.recordings import download
from spnb.recordings.digest import promised
from spnb.recordings.fetching import Address, fetch
from spnb.recordings.places import LONGEST_NAME, named, place_in
from tests.recordings.conftest import Cdn


def test_a_broken_transfer_goes_on_where_it_stopped(cdn: Cdn, tmp_path: Path) -> None:
    cdn.cuts = [300_000, 1, 200_000]
    path = download(f"{cdn.url}/film", tmp_path / "film.mp4")
    assert path.read_bytes() == cdn.content
    ranges = [asked.get("range") for asked in cdn.asked]
    assert ranges[0] is None
    assert all(asked.get("if-range") == '"one"' for asked in cdn.asked[1:])
    assert cdn.served == len(cdn.content), "no byte was sent twice"
    assert sorted(tmp_path.iterdir()) == [path]


def test_a_download_that_failed_is_resumed_by_the_next_call(cdn: Cdn, tmp_path: Path) -> None:
    cdn.cuts = [400_000, 0, 0, 0, 0]
    with pytest.raises(Unreachable, match="kept in") as caught:
        download(f"{cdn.url}/film?signature=secret", tmp_path / "film.mp4")
    assert "secret" not in str(caught.value)
    part = tmp_path / "film.mp4.part"
    assert cdn.content.startswith(part.read_bytes())
    assert part.stat().st_size > 300_000
    assert not (tmp_path / "film.mp4").exists()
    cdn.cuts = []
    assert download(f"{cdn.url}/film", tmp_path / "film.mp4").read_bytes() == cdn.content
    assert cdn.served == len(cdn.content)


@pytest.mark.parametrize("etag", ['"two"', ""])
def test_another_version_is_fetched_from_its_beginning(cdn: Cdn, tmp_path: Path, etag: str) -> None:
    cdn.cuts = [400_000, 0, 0, 0, 0]
    with pytest.raises(Unreachable):
        download(f"{cdn.url}/film", tmp_path / "film.mp4")
    cdn.cuts, cdn.etag, cdn.content = [], etag, cdn.content[::-1]
    assert download(f"{cdn.url}/film", tmp_path / "film.mp4").read_bytes() == cdn.content


def test_a_part_that_was_whole_already_is_taken(cdn: Cdn, tmp_path: Path) -> None:
    (tmp_path / "film.mp4.part").write_bytes(cdn.content)
    (tmp_path / "film.mp4.part.tag").write_text(cdn.etag)
    assert download(f"{cdn.url}/film", tmp_path / "film.mp4").read_bytes() == cdn.content
    assert cdn.served == 0
    (tmp_path / "longer.mp4.part").write_bytes(cdn.content + b"more")
    (tmp_path / "longer.mp4.part.tag").write_text(cdn.etag)
    assert download(f"{cdn.url}/film", tmp_path / "longer.mp4").read_bytes() == cdn.content


def test_files_without_a_length_are_taken_too_and_bounded(cdn: Cdn, tmp_path: Path) -> None:
    cdn.lengths = cdn.ranges = False
    assert download(f"{cdn.url}/film", tmp_path / "film.mp4").read_bytes() == cdn.content
    with pytest.raises(DownloadError, match="more than the 500000"):
        download(f"{cdn.url}/film", tmp_path / "other.mp4", most_bytes=500_000)
    cdn.lengths = True
    with pytest.raises(DownloadError, match="more than the 500000"):
        download(f"{cdn.url}/film", tmp_path / "third.mp4", most_bytes=500_000)
    assert not (tmp_path / "third.mp4.part").exists()


@pytest.mark.parametrize(
    "target",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
        "http://192.168.1.1:8080/",
        "http://172.16.0.1/",
        "http://0.0.0.0/",
        "http://[fe80::1]/",
        "http://[fd00::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[2002:a00:1::]/",
        "http://224.0.0.1/",
        "http://user:word@example.com/",
        "http://[bad",
        "https:///nowhere",
    ],
)
def test_redirects_to_where_nobody_should_go_are_not_followed(cdn: Cdn, tmp_path: Path, target: str) -> None:
    """The first server is on this machine, as a sandbox's is; even then only this machine itself may follow."""
    cdn.redirect(target)
    with pytest.raises(DownloadError):
        download(f"{cdn.url}/film", tmp_path / "film.mp4")
    assert len(cdn.asked) == 1
    assert not list(tmp_path.iterdir())


def test_redirects_on_the_same_machine_are_followed_but_not_for_ever(cdn: Cdn, tmp_path: Path) -> None:
    cdn.redirect("/other", f"{cdn.url}/third")
    assert download(f"{cdn.url}/film", tmp_path / "film.mp4").read_bytes() == cdn.content
    cdn.redirect(*["/again"] * 10)
    with pytest.raises(DownloadError, match="more than 5 times"):
        download(f"{cdn.url}/film", tmp_path / "other.mp4")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "127.1"])
def test_a_service_elsewhere_cannot_send_anybody_to_this_machine(cdn: Cdn, tmp_path: Path, host: str) -> None:
    """Numbers in disguise are names to the parser, and addresses when they are resolved: checked where it connects."""
    url = f"http://{host}:{cdn.url.rsplit(':', 1)[1]}/film"

    async def fetched() -> Path:
        async with Reach(loopback=False) as reach:
            return await fetch(reach, Address(url), tmp_path, "film.mp4")

    with pytest.raises(DownloadError, match="private or local"):
        run(fetched())
    assert not cdn.asked


def test_https_is_not_left_for_http() -> None:
    reach = Reach(loopback=False)
    assert reach.checked("https://cdn.example/x", before="http://cdn.example/x")
    with pytest.raises(DownloadError, match="https to http"):
        reach.checked("http://cdn.example/x", before="https://cdn.example/x")
    assert reach.allows(ipaddress.ip_address("93.184.216.34"))
    assert not reach.allows(ipaddress.ip_address("100.64.0.1"))
    assert is_loopback("http://127.0.0.1:80/x")
    assert not is_loopback("https://apix.us.amity.co")


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../../x", "/etc/x", "a/b", "a\\b", "C:x", "nul\0x", "x" * (LONGEST_NAME + 1), "ü" * LONGEST_NAME],
)
def test_names_that_lead_out_of_the_folder_are_refused(cdn: Cdn, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "films"

    async def fetched() -> Path:
        async with Reach(loopback=True) as reach:
            return await fetch(reach, Address(f"{cdn.url}/film"), folder, name)

    with pytest.raises(InvalidInput):
        run(fetched())
    assert not cdn.asked
    assert not list(tmp_path.rglob("*.part"))


def test_links_are_not_written_through(cdn: Cdn, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("precious")
    folder = tmp_path / "films"
    folder.mkdir()
    for name in ("film.mp4", "film.mp4.part", "film.mp4.part.tag"):
        link = folder / name
        link.symlink_to(outside)
        with pytest.raises(InvalidInput, match="link"):
            download(f"{cdn.url}/film", folder / "film.mp4")
        link.unlink()
    (folder / "film.mp4").mkdir()
    with pytest.raises(InvalidInput):
        download(f"{cdn.url}/film", folder / "film.mp4")
    assert outside.read_text() == "precious"


def test_titles_become_harmless_names(tmp_path: Path) -> None:
    titles = ("../../etc/passwd", "a\0b", "<script>", "  ", "C:\\x", "💥" * 500, "Ä Talk: über/alles", "-rf")
    for title in titles:
        name = named(title, "../r\0oom", 1)
        assert place_in(tmp_path, name).parent == tmp_path.resolve()
        assert not name.startswith(("-", "."))
    assert named("Ä Talk: über/alles", "r1", 2, "video/mp2t; x=y") == "Ä-Talk-über-alles-r1-2.ts"
    assert named("", "", 1, "text/html") == "recording-room-1.mp4"


def test_what_servers_refuse_is_told_without_trying_for_ever(cdn: Cdn, tmp_path: Path) -> None:
    cdn.answers = [PlainTextResponse("", 404)]
    with pytest.raises(Unreachable, match="answered 404"):
        download(f"{cdn.url}/film", tmp_path / "film.mp4")
    assert len(cdn.asked) == 1
    cdn.answers = [PlainTextResponse("", 503), PlainTextResponse("", 429)]
    assert download(f"{cdn.url}/film", tmp_path / "film.mp4").read_bytes() == cdn.content
    cdn.headers = {"Content-Encoding": "gzip"}
    with pytest.raises(DownloadError, match="compressed"):
        download(f"{cdn.url}/film", tmp_path / "packed.mp4")
    with pytest.raises(InvalidInput, match="http"):
        download("gopher://x/y", tmp_path / "x.mp4")


def promises(content: bytes) -> list[dict[str, str]]:
    sha, md5 = (base64.b64encode(hashlib.new(name, content).digest()).decode() for name in ("sha256", "md5"))
    return [
        {"Repr-Digest": f"sha-256=:{sha}:, unheard-of=:AAAA:"},
        {"Digest": f"SHA-256={sha}"},
        {"x-amz-checksum-sha256": sha},
        {"x-goog-hash": f"crc32c=AAAAAA==,md5={md5}"},
    ]


@pytest.mark.parametrize("number", range(4))
def test_what_arrives_damaged_is_not_taken(cdn: Cdn, tmp_path: Path, number: int) -> None:
    cdn.headers = promises(cdn.content)[number]
    cdn.cuts = [300_000]
    good = download(f"{cdn.url}/film", tmp_path / "good.mp4")
    assert good.read_bytes() == cdn.content
    cdn.headers = promises(cdn.content[::-1])[number]
    with pytest.raises(DownloadError, match="damaged"):
        download(f"{cdn.url}/film", tmp_path / "bad.mp4")
    assert sorted(tmp_path.iterdir()) == [good]


def test_promises_nobody_can_read_are_none() -> None:
    for headers in ({}, {"digest": "sha-256=AAAA"}, {"repr-digest": "sha-256=:A:"}, {"x-amz-checksum-sha256": "a-2"}):
        assert promised(headers) is None


def test_a_part_from_elsewhere_in_the_file_is_not_taken(cdn: Cdn, tmp_path: Path) -> None:
    cdn.cuts = [400_000, 0, 0, 0, 0]
    with pytest.raises(Unreachable):
        download(f"{cdn.url}/film", tmp_path / "film.mp4")
    wrong = {"Content-Range": f"bytes 5-9/{len(cdn.content)}", "ETag": cdn.etag}
    cdn.cuts, cdn.answers = [], [Response(b"wrong", 206, wrong)]
    assert download(f"{cdn.url}/film", tmp_path / "film.mp4").read_bytes() == cdn.content


def test_a_full_disk_keeps_what_has_come(cdn: Cdn, tmp_path: Path) -> None:
    """A limit of the process on the size of files stands in for the disk: the system refuses the write all the same."""
    program = (
        "import resource, signal, sys\nfrom pathlib import Path\n"
        "from spnb.errors import DownloadError\nfrom spnb.recordings import download\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY))\n"
        "try:\n    download(sys.argv[1], Path(sys.argv[2]))\n"
        "except DownloadError as error:\n    print(error)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "print(download(sys.argv[1], Path(sys.argv[2])))\n"
    )
    target = tmp_path / "film.mp4"
    command = [sys.executable, "-c", program, f"{cdn.url}/film", str(target)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.splitlines()
    assert "600000 bytes are kept" in told[0]
    assert "make room" in told[0]
    assert target.read_bytes() == cdn.content
    assert cdn.asked[-1]["range"] == "bytes=600000-"


async def test_an_interrupted_download_keeps_what_has_come_and_two_at_once_are_one_too_many(
    cdn: Cdn, tmp_path: Path
) -> None:
    arrived = asyncio.Event()
    loop = asyncio.get_running_loop()
    cdn.content = bytes(64 << 20)

    async def fetched() -> Path:
        async with Reach(loopback=True) as reach:
            address = Address(f"{cdn.url}/film")
            meter = lambda *_: loop.call_soon_threadsafe(arrived.set)  # noqa: E731
            return await fetch(reach, address, tmp_path, "film.mp4", meter=meter)

    task = asyncio.create_task(fetched())
    await asyncio.wait_for(arrived.wait(), 60)
    with pytest.raises(DownloadError, match="already"):
        await fetched()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    part = tmp_path / "film.mp4.part"
    async with asyncio.timeout(60):
        while True:
            try:
                assert (await fetched()).stat().st_size == len(cdn.content)
                break
            except DownloadError:
                await asyncio.sleep(0.02)  # the cancelled one is still leaving
    assert not part.exists()
