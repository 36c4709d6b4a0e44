"""Datasets on object storage, by moto's S3 server as a process of its own: nothing that was saved is ever lost."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyarrow import fs

from spnb import analytics
from spnb.analytics.capture.disk import CaptureFolder
from spnb.analytics.capture.lines import line_of
from spnb.errors import InvalidInput, TableError
from tests.analytics.season import season
from tests.analytics.test_saving import told

MOTO = ("--from", "moto[s3]==5.2.5", "--with", "flask==3.1.3", "--with", "flask-cors==6.0.5", "moto_server")
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLEEXAMPLE00", "AWS_SECRET_ACCESS_KEY": "exampleSecretKeyOfTheTest0123456789abcd"}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A server of another maker, in an environment of its own: its SDK would bind versions of ours."""
    uvx = shutil.which("uvx")
    if uvx is None:
        pytest.skip("moto's S3 server comes by uvx, which is not on the PATH")
    words = [uvx, *MOTO, "-H", "127.0.0.1", "-p", "0"]
    server = subprocess.Popen(
        words, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    )
    said = ""
    assert server.stdout is not None
    for line in server.stdout:
        said += line
        if found := re.search(r"Running on (http://127\.0\.0\.1:\d+)", line):
            break
    else:
        raise AssertionError(f"moto's server did not start: {said}")
    import threading

    threading.Thread(target=server.stdout.read, daemon=True).start()  # else its log would fill the pipe
    try:
        yield found[1]
    finally:
        server.terminate()
        server.wait(60)


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A bucket of the test's own, found as AWS's variables say."""
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": endpoint, "AWS_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:60].strip("-")
    store(endpoint).create_dir(name)
    return name


def store(endpoint: str) -> fs.S3FileSystem:
    return fs.S3FileSystem(
        access_key=KEYS["AWS_ACCESS_KEY_ID"],
        secret_key=KEYS["AWS_SECRET_ACCESS_KEY"],
        endpoint_override=endpoint.removeprefix("http://"),
        scheme="http",
        region="us-east-1",
        allow_bucket_creation=True,
    )


def below(endpoint: str, path: str) -> set[str]:
    found = store(endpoint).get_file_info(fs.FileSelector(path, recursive=True))
    return {info.path for info in found if info.type == fs.FileType.File}


def test_a_dataset_comes_back(bucket: str, endpoint: str) -> None:
    dataset = analytics.load(season(streams=3, seed=4), as_of="2026-06-01T00:00Z")
    address = f"s3://{bucket}/mine/season"
    assert dataset.save(address) == address
    read = analytics.load(address)
    assert told(read) == told(dataset)
    assert read.as_of == dataset.as_of
    assert read.rows("messages") == dataset.rows("messages")
    room = read.rooms["room_id"].iloc[0]
    assert len(read.table("views", [room])) == int((dataset.views["room_id"] == room).sum())
    counted = "select room_id, count(*) as n from views where room_id = $room group by all"
    assert read.sql(counted, room=room)["n"].tolist() == [len(read.table("views", [room]))]
    assert read.report(room).kpis["views"] == dataset.report(room).kpis["views"]
    with pytest.raises(TableError, match="replace=True"):
        dataset.save(address)
    # and by a file system of one's own, with its keys, without AWS's variables
    again = analytics.load(f"{bucket}/mine/season", filesystem=store(endpoint))
    assert told(again) == told(dataset)


def test_it_is_saved_onto_itself_and_a_reader_of_before_is_told(bucket: str, endpoint: str) -> None:
    address = f"s3://{bucket}/season"
    analytics.load(season(streams=3, seed=4)).save(address)
    read, other = analytics.load(address), analytics.load(address)
    before = told(read)
    read.save(address, replace=True)
    assert told(analytics.load(address)) == before
    assert len(read.views)  # the one that was saved goes on
    with pytest.raises(TableError, match="load it again"):
        _ = other.views
    generations = {path.split("/")[2] for path in below(endpoint, f"{bucket}/season") if "save-" in path}
    assert len(generations) == 1


def test_what_is_no_dataset_is_not_written_over(bucket: str, endpoint: str) -> None:
    dataset = analytics.load(season(streams=1, seed=4))
    with store(endpoint).open_output_stream(f"{bucket}/things/notes.txt") as file:
        file.write(b"mine")
    with pytest.raises(TableError, match="no dataset: nothing was written over"):
        dataset.save(f"s3://{bucket}/things", replace=True)
    assert below(endpoint, f"{bucket}/things") == {f"{bucket}/things/notes.txt"}


KILLED = """
import sys
from spnb import analytics
from tests.analytics.season import season

dataset = analytics.load(season(streams=3, seed=int(sys.argv[2])))
print("ready", flush=True)
sys.stdin.readline()
dataset.save(sys.argv[1], replace=True)
print("done", flush=True)
"""


@pytest.mark.slow
def test_killed_at_any_moment_one_whole_dataset_is_there(bucket: str, endpoint: str) -> None:
    """Writers are killed at random moments of a save, one after the other, onto the same address."""
    address = f"s3://{bucket}/season"
    known = {seed: analytics.load(season(streams=3, seed=seed)) for seed in (4, 9)}
    known[4].save(address)
    draw = random.Random(16)
    numbers = {told(dataset) for dataset in known.values()}
    cut, took = 0, 1.0
    for turn in range(6):
        seed = (9, 4)[turn % 2]
        words = [sys.executable, "-c", KILLED, address, str(seed)]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdin is not None
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
            began = time.monotonic()
            writer.stdin.write("\n")
            writer.stdin.flush()
            if turn:  # the first one tells how long a save takes
                try:
                    writer.wait(draw.uniform(0, took))
                except subprocess.TimeoutExpired:
                    writer.send_signal(signal.SIGKILL)
            writer.wait(60)
            took = took if turn else time.monotonic() - began
            cut += writer.returncode == -signal.SIGKILL
        assert told(analytics.load(address)) in numbers, f"turn {turn}"
    assert cut
    known[4].save(address, replace=True)
    assert told(analytics.load(address)) == told(known[4])


def test_what_cut_off_saves_left_goes_after_a_day(bucket: str, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    address, left = f"s3://{bucket}/season", f"{bucket}/season/save-1-0/views/day=2026-03-01/part-0.parquet"
    dataset = analytics.load(season(streams=1, seed=4))
    with store(endpoint).open_output_stream(left) as file:
        file.write(b"half")
    dataset.save(address)  # it is nothing that would have to be replaced
    assert left in below(endpoint, f"{bucket}/season")  # whoever writes it may still be at it
    monkeypatch.setattr("spnb.analytics.objects.LEFT_FOR", -analytics.objects.LEFT_FOR)
    dataset.save(address, replace=True)
    assert left not in below(endpoint, f"{bucket}/season")
    assert told(analytics.load(address)) == told(dataset)


def test_files_captures_and_exports(bucket: str, endpoint: str, tmp_path: Path) -> None:
    dataset = analytics.load(season(streams=2, seed=4))
    address = f"s3://{bucket}/out/views.csv"
    assert dataset.export(address, "views") == address
    assert analytics.load(address).rows("views") == dataset.rows("views")
    capture = CaptureFolder(tmp_path / "show")
    capture.append([line_of("rooms", {"room_id": "r", "created_at": 1_772_366_400_000, "live_at": 1_772_366_400_000})])
    said = {"message_id": "m", "room_id": "r", "user_id": "u", "created_at": 1_772_366_401_000}
    capture.append([line_of("messages", said)])
    capture.close()
    fs.copy_files(str(tmp_path / "show"), f"{bucket}/show", destination_filesystem=store(endpoint))
    captured = analytics.load(f"s3://{bucket}/show")
    assert captured.messages["message_id"].tolist() == ["m"]
    assert captured.known == analytics.load(tmp_path / "show").known
    with pytest.raises(TableError, match="is a capture"):
        dataset.save(f"s3://{bucket}/show", replace=True)


def hidden(raised: Any) -> str:
    """The words of an error, which hold no key."""
    import traceback

    whole = "".join(traceback.format_exception(raised.value))
    assert not any(key in whole for key in KEYS.values())
    return str(raised.value)


def test_errors_are_words_without_keys(bucket: str, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = analytics.load(season(streams=1, seed=4))
    with pytest.raises(TableError) as raised:
        dataset.save("s3://nobody-has-this/season")
    assert "there is no such bucket" in hidden(raised)
    with pytest.raises(TableError, match=f"there is nothing at s3://{bucket}/none"):
        analytics.load(f"s3://{bucket}/none")
    with pytest.raises(InvalidInput, match="kept in notebooks") as keys:
        dataset.save(f"s3://{KEYS['AWS_ACCESS_KEY_ID']}:{KEYS['AWS_SECRET_ACCESS_KEY']}@{bucket}/season")
    assert hidden(keys)
    with pytest.raises(InvalidInput, match=r"takes region.*, not secret_key"):
        dataset.save(f"s3://{bucket}/season?secret_key=x")
    dataset.save(f"s3://{bucket}/season")
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in repr(analytics.load(f"s3://{bucket}/season").store.__dict__)

    def authorised(after: str) -> None:
        plain = {"Content-Type": "text/plain"}
        asked = urllib.request.Request(f"{endpoint}/moto-api/reset-auth", after.encode(), plain)
        urllib.request.urlopen(asked, timeout=60)

    authorised("0")
    try:
        with pytest.raises(TableError) as raised:
            analytics.load(f"s3://{bucket}/season")
        assert re.search("keys are not accepted|access is denied", hidden(raised))
    finally:
        authorised("inf")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(TableError) as raised:
        analytics.load(f"s3://{bucket}/season")
    assert "cannot be reached" in hidden(raised)
