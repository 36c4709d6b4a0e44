"""A plausible first guess works or is refused; it never does something else."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import queue
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

import spnb
from spnb import analytics
from spnb.broadcast.sources import source_of
from spnb.errors import (
    ClientClosed,
    ConfigError,
    Forbidden,
    InvalidInput,
    NotFound,
    SandboxError,
    TableError,
    Unreachable,
)
from spnb.recordings.places import folder_and_name, named
from spnb.sandbox.control import lease
from tests.analytics.season import season
from tests.conftest import RunningSandbox


def test_a_client_connects_to_the_very_sandbox_it_is_given(tmp_path: Path, sandbox: RunningSandbox) -> None:
    box = spnb.sandbox.start(tmp_path)
    try:
        with spnb.connect("ann", sandbox=box) as ann, spnb.connect("bo", sandbox=ann) as bo:
            ann.rooms.create("In the box", chat=False)
            assert [room.title for room in bo.rooms.query()] == ["In the box"]
            assert box.url in repr(ann)
            for odd in ("box", 1, tmp_path, object()):
                with pytest.raises(ConfigError, match=f"spnb.sandbox.start.*not {type(odd).__name__}"):
                    spnb.connect("cy", sandbox=odd)  # type: ignore[arg-type]
            with pytest.raises(ConfigError, match="without api_key"):
                spnb.connect("cy", sandbox=box, url=sandbox.url, api_key=sandbox.api_key)
    finally:
        box.stop()


def test_a_status_is_asked_for_by_itself_or_refused(sandbox: RunningSandbox) -> None:
    with spnb.connect("statuses", url=sandbox.url, api_key=sandbox.api_key) as sp:
        room = sp.rooms.create("Idle", chat=False)
        assert room.room_id in [found.room_id for found in sp.rooms.query(statuses="idle")]
        assert room.room_id not in [found.room_id for found in sp.rooms.query(statuses=("waiting_reconnect",))]
        for odd in ("lve", ["live", "Recorded"], []):
            with pytest.raises(InvalidInput, match="waitingReconnect"):
                list(sp.rooms.query(statuses=odd))
            with pytest.raises(InvalidInput, match="waitingReconnect"):
                spnb.LiveRooms(sp, statuses=odd)
        with pytest.raises(InvalidInput, match="no room is ever lve"):
            room.until("lve")


def test_a_sandbox_of_one_s_own_is_a_context_and_takes_a_string(tmp_path: Path) -> None:
    with spnb.sandbox.start(str(tmp_path / "box")) as box, spnb.connect("ann", sandbox=box) as ann:
        assert ann.user is not None
        assert box.data_dir in lease._leases, "who started it holds it: it does not end before"
    with pytest.raises(Unreachable):
        spnb.connect("ann", url=box.url, api_key=box.api_key)


NOWHERE = "import pwd\ndef nobody(uid):\n    raise KeyError(uid)\npwd.getpwuid = nobody\n"
"""For a process whose user the system does not know, as in many containers: without HOME there is no home folder."""


def test_a_sandbox_of_one_s_own_ends_with_who_started_it(tmp_path: Path) -> None:
    """However that ends, and not before."""
    program = (
        "import os, sys, spnb\n"
        "box = spnb.sandbox.start(sys.argv[1])\n"
        "with spnb.connect('ann', sandbox=box) as ann:\n"
        "    ann.rooms.create('Short', chat=False)\n"
        "print(box.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    ran = subprocess.run([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True, timeout=120)
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(int(ran.stdout)).wait(60)


def told_by(*command: str, home: Path | None, before: str = "") -> str:
    """What a command of the terminal says that cannot run, as a user's with this home folder: one line."""
    words = (
        f"import runpy, sys\n{before}sys.argv = {['spnb', *command]!r}\nrunpy.run_module('spnb', run_name='__main__')"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SOCIALPLUS", "SPNB", "XDG"))}
    kept.pop("HOME", None)
    told = subprocess.run(
        [sys.executable, "-c", words],
        capture_output=True,
        text=True,
        env=kept if home is None else {**kept, "HOME": str(home)},
        timeout=120,
    )
    assert told.returncode == 1, told.stdout
    assert told.stderr.startswith("error: ")
    assert told.stderr.count("\n") == 1
    return told.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows asks no file of users")
def test_a_user_without_a_home_folder_learns_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for command in ("sandbox", "rooms"):
        assert "set SPNB_HOME" in told_by(command, home=None, before=NOWHERE)
    assert "spnb lab FOLDER" in told_by("lab", home=None, before=NOWHERE)
    monkeypatch.setenv("SPNB_HOME", "not/whole")
    with pytest.raises(SandboxError, match=r"SPNB_HOME=not/whole.*from the root on"):
        spnb.sandbox.ensure()
    with pytest.raises(ConfigError, match="SPNB_HOME"):
        spnb.webhooks.Receiver("a secret of some length")


def test_a_folder_that_cannot_be_written_says_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SPNB_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(SandboxError, match="SPNB_HOME"):
        spnb.sandbox.ensure()
    with pytest.raises(SandboxError, match="cannot write"):
        spnb.sandbox.start(tmp_path / "file" / "box")
    assert "SPNB_HOME" in told_by("sandbox", "--data-dir", str(tmp_path / "file" / "box"), home=tmp_path)


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a small disk with these options, as a home folder."""
    made: list[Path] = []

    def mount(options: str) -> Path:
        place = tmp_path / f"disk-{len(made)}"
        place.mkdir(mode=0o700)
        mounting = ["mount", "-t", "tmpfs", "-o", f"mode=700,{options}", "tmpfs", str(place)]
        if os.getuid() != 0 or subprocess.run(mounting, capture_output=True).returncode:
            pytest.skip("mounting a disk needs root")
        made.append(place)
        return place

    yield mount
    for place in made:
        subprocess.run(["umount", str(place)], check=True)


def test_a_home_that_can_only_be_read_says_what_to_set(
    mounted: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = mounted("ro")
    assert "Read-only" in (told := told_by("sandbox", home=home))
    assert "set SPNB_HOME" in told
    assert "spnb lab FOLDER" in told_by("lab", home=home)
    monkeypatch.setenv("SPNB_HOME", str(home / "spnb"))
    with pytest.raises(SandboxError, match=r"cannot write.*SPNB_HOME"):
        spnb.sandbox.ensure()


def test_a_full_disk_says_what_to_set(mounted: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    home = mounted("size=1m")
    assert "is full" in (told := told_by("sandbox", home=home))
    assert "set SPNB_HOME" in told
    monkeypatch.setenv("SPNB_HOME", str(home))
    with pytest.raises(SandboxError, match=r"is full.*SPNB_HOME"):
        spnb.sandbox.ensure()
    with pytest.raises(SandboxError, match="is full"):
        spnb.sandbox.start(home / "box")


def test_a_folder_of_another_user_or_of_all_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPNB_HOME", str(tmp_path))
    tmp_path.chmod(0o777)
    with pytest.raises(SandboxError, match="SPNB_HOME"):
        spnb.sandbox.ensure()
    if os.getuid() == 0:
        tmp_path.chmod(0o700)
        place = tmp_path / ".local" / "share" / "spnb"
        place.mkdir(parents=True)
        for folder in (tmp_path, place):
            os.chown(folder, 1, 1)
        with pytest.raises(SandboxError, match=r"belongs to another user.*SPNB_HOME"):
            spnb.sandbox.ensure()
        # Nor does one of the terminal run there, where nobody would join it.
        assert "belongs to another user: set SPNB_HOME" in told_by("sandbox", home=tmp_path)
        os.chown(tmp_path, 0, 0)


def test_what_runs_in_a_terminal_is_the_sandbox_of_its_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPNB_HOME", str(tmp_path))
    for name in ("SOCIALPLUS_API_KEY", "SOCIALPLUS_USER_ID"):
        monkeypatch.delenv(name, raising=False)
    command = [sys.executable, "-m", "spnb", "sandbox", "--json"]
    terminal = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert terminal.stdout is not None
        told = json.loads(terminal.stdout.readline())
        with spnb.connect("ann") as ann:
            assert told["url"] in repr(ann)
    finally:
        terminal.terminate()
        terminal.wait(60)


def test_webhooks_are_asked_for_by_any_name_of_an_event_or_refused(sandbox: RunningSandbox, tmp_path: Path) -> None:
    told: queue.SimpleQueue[str] = queue.SimpleQueue()
    with (
        spnb.connect("names", url=sandbox.url, api_key=sandbox.api_key) as sp,
        spnb.webhooks.Receiver("a secret of some length", path=tmp_path / "names.sqlite") as receiver,
    ):
        hooks = spnb.sandbox.webhooks(url=sandbox.url, api_key=sandbox.api_key)
        for wrong in ("nonsense", "room.lve", "chat.*"):
            with pytest.raises(InvalidInput, match=r"room\.live"):
                hooks.add(receiver.url, "a secret of some length", events=[wrong])
        added = hooks.add(receiver.url, "a secret of some length", events=["room.updated", "message.didCreate"])

        @receiver.on()
        def heard(delivery: spnb.webhooks.Delivery) -> None:
            told.put(f"{delivery.name} {delivery.room.title if delivery.room else ''}")

        room = sp.rooms.create("Called so")
        room.update(title="Called otherwise")
        room.chat.send("hello")
        names = [told.get(timeout=60)]
        while not names[-1].startswith("message.created"):
            names.append(told.get(timeout=60))
        assert "room.updated Called otherwise" in names
        assert {name.split()[0] for name in names} == {"room.updated", "message.created"}
        hooks.remove(added)


def test_a_place_names_a_folder_or_the_very_file(tmp_path: Path) -> None:
    assert folder_and_name("out", None) == (Path("out"), None)
    assert folder_and_name("out/my.mp4", None) == (Path("out"), "my")
    (tmp_path / "folder.mp4").mkdir()
    assert folder_and_name(tmp_path / "folder.mp4", "talk") == (tmp_path / "folder.mp4", "talk")
    with pytest.raises(InvalidInput, match="names the file already"):
        folder_and_name("out/my.mp4", "talk")
    assert named("Talk", "r1", None) == "Talk-r1.mp4", "a single file is no first of several"


def test_what_is_no_figure_is_told_with_those_there_are() -> None:
    dataset = analytics.load(season(streams=3, seed=1))
    report, period = dataset.report("s0"), dataset.period("2026-01-01", "2027-01-01")
    for page in (report, period):
        figures = page.figures()
        with pytest.raises(KeyError, match=", ".join(figures)):
            figures["viewers"]
        explained = inspect.getdoc(page.figures) or ""
        assert all(f"`{name}`" in explained for name in figures), "help() names them"
        assert len(repr(page)) < 200, "what is printed can be read"
    assert "s0" in repr(report)
    assert "3 streams" in repr(period)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_rooms_are_listed_on_any_terminal(encoding: str, sandbox: RunningSandbox) -> None:
    with spnb.connect("printer", url=sandbox.url, api_key=sandbox.api_key) as sp:
        room = sp.rooms.create("Zażółć 直播 🎥", chat=False)
        credentials = {"URL": sandbox.url, "API_KEY": sandbox.api_key, "USER_ID": "printer"}
        told = subprocess.run(
            [sys.executable, "-m", "spnb", "rooms", "--limit", "3"],
            env={
                **os.environ,
                "PYTHONIOENCODING": encoding,
                "PYTHONUTF8": "0",
                "COLUMNS": "40",
                **{f"SOCIALPLUS_{name}": value for name, value in credentials.items()},
            },
            capture_output=True,
        )
        assert told.returncode == 0, told.stderr
        assert room.room_id.encode() in told.stdout, "an id is never cut"
        room.delete()


def test_a_path_is_a_source_too() -> None:
    assert isinstance(source_of("own.mp4"), spnb.MediaFile)
    assert isinstance(source_of(Path("own.mp4")), spnb.MediaFile)
    assert isinstance(source_of("https://example.com/live.m3u8"), spnb.LiveURL)
    assert isinstance(source_of(None), spnb.TestCard)
    with pytest.raises(InvalidInput, match="not int"):
        source_of(7)  # type: ignore[arg-type]


def test_a_moderator_makes_others_moderate(sandbox: RunningSandbox) -> None:
    with (
        spnb.connect("mod-host", url=sandbox.url, api_key=sandbox.api_key) as host,
        spnb.connect("mod-bot", url=sandbox.url, api_key=sandbox.api_key) as bot,
        spnb.connect("mod-eve", url=sandbox.url, api_key=sandbox.api_key) as eve,
    ):
        room = host.rooms.create("Moderated")
        bots_chat = bot.rooms.get(room.room_id).chat
        with pytest.raises(Forbidden, match="here may mod-host"):
            bots_chat.add_moderator("mod-bot")
        room.chat.add_moderator("mod-bot")
        assert set(room.chat.moderators()) == {"mod-host", "mod-bot"}
        said = eve.rooms.get(room.room_id).chat
        eve.channels.join(said.channel.channel_id)
        message = said.send("buy")
        bots_chat.delete(message)
        bots_chat.ban("mod-eve")
        assert "mod-bot" in [member.user_id for member in room.chat.members()]
        room.chat.remove_moderator("mod-bot")
        assert room.chat.moderators() == ["mod-host"]
        with pytest.raises(InvalidInput, match="as a list"):
            host.channels.ban(said.channel.channel_id, "mod-eve")
        with pytest.raises(NotFound, match=r"'moderator', of .*channel-moderator"):
            host.channels.add_role(said.channel.channel_id, "moderator", ["mod-bot"])


def test_users_are_found_by_their_names(sandbox: RunningSandbox) -> None:
    for number in range(3):
        spnb.connect(
            f"search-{number}", url=sandbox.url, api_key=sandbox.api_key, display_name=f"Quite Findable {number}"
        ).close()
    with spnb.connect("searcher", url=sandbox.url, api_key=sandbox.api_key) as sp:
        found = [user.user_id for user in sp.users.query(keyword="quite find", page_size=2)]
    assert found == ["search-0", "search-1", "search-2"]


def test_a_token_is_worth_nothing_after_the_logout(sandbox: RunningSandbox) -> None:
    sp = spnb.connect("leaver", url=sandbox.url, api_key=sandbox.api_key)
    token = sp.access_token()
    sp.logout()
    with pytest.raises(ClientClosed):
        sp.users.get("leaver")
    told = httpx.get(
        f"{sandbox.url}/api/v3/sessions", headers={"Authorization": f"Bearer {token}"}, trust_env=False, timeout=60
    )
    assert told.status_code == 401


def test_two_of_one_room_are_the_same_to_python(sandbox: RunningSandbox) -> None:
    with (
        spnb.connect("equal-host", url=sandbox.url, api_key=sandbox.api_key) as host,
        spnb.connect("equal-guest", url=sandbox.url, api_key=sandbox.api_key) as guest,
    ):
        room, other = (host.rooms.create(title, chat=False) for title in ("One", "Another"))
        again = host.rooms.get(room.room_id)
        again.update(title="Changed")
        assert again == room
        assert (again.asynchronous, {room, again, other}) == (room.asynchronous, {room, other})
        assert other != room
        assert again in [other, room]
        assert guest.rooms.get(room.room_id) != room, "what another may do there is another thing"
        assert room != room.record
        # Records are what was so at a moment: equal where they say the same, and in sets by their id.
        assert again.record != room.record
        assert hash(again.record) == hash(room.record)
        room.refresh()
        assert again.record == room.record
        room.invite("equal-guest")
        mine, same = (guest.rooms.get(room.room_id).invitation() for _ in range(2))
        assert mine is not None
        assert {mine, same} == {mine}


ODD_TOPICS = ("", "a/#/b", "a/b#", "a/b+/c", "a\0b", "x" * 70_000)
"""Each of these, once subscribed to, would have ended all real time of its connection."""


def test_what_is_of_elsewhere_or_nothing_is_refused(sandbox: RunningSandbox) -> None:
    """Each of these was taken, and did nothing, or did it to somebody or something else."""
    with spnb.connect("refuser", url=sandbox.url, api_key=sandbox.api_key) as sp:
        room, other = sp.rooms.create("Here"), sp.rooms.create("There")
        chat, message = room.chat, other.chat.send("said there")
        channel_id = chat.channel.channel_id
        mine = chat.send("mine", mentions=["refuser"])
        hooks = spnb.sandbox.webhooks(sp)
        for wrong, words in (
            (lambda: chat.delete(message), "of another chat"),
            (lambda: chat.edit(message, "changed"), "of another chat"),
            (lambda: chat.flag(message), "of another chat"),
            (lambda: chat.react(message, "like"), "of another chat"),
            (lambda: chat.pin(message), "of another chat"),
            (lambda: chat.show(message), "of another chat"),
            (lambda: chat.send("answer", reply_to=message), "of another chat"),
            (lambda: room.stage.arrange("spotlight", focus="zed"), "'zed' is no broadcaster .* one of refuser"),
            (lambda: sp.channels.mute(channel_id, user_ids=[]), "1 to 100 user ids"),
            (lambda: chat.add_moderator(), "1 to 100 user ids"),
            (lambda: chat.remove_moderator(), "1 to 100 user ids"),
            (lambda: room.update(metadata={"of": {1, 2}}), "no JSON"),
            (lambda: sp.rooms.create("Nan", metadata={"of": float("nan")}, chat=False), "no JSON"),
            (lambda: chat.watch(last=-1), "0 or more, not -1"),
            (lambda: chat.add_moderator(["refuser"]), r"one by one: add_moderator\(\*user_ids\)"),
            (lambda: analytics.load(room), "from LiveRoom: give frames"),
            (lambda: chat.send("@zed", mentions=["zed"]), "nobody has the id 'zed'"),
            (lambda: sp.messages.edit(mine.message_id, "@zed", mentions=["zed"]), "nobody has the id 'zed'"),
            (lambda: chat.changes(last=-1), "0 or more, not -1"),
            (lambda: sp.settings.set_prehook("", enabled=True), "no address"),
            *((lambda odd=odd: sp.asynchronous.realtime.subscribe(odd, print), "no topic") for odd in ODD_TOPICS),
            (lambda: hooks.add("http://127.0.0.1:9/", "a secret of some length", events=[]), "at least one event"),
        ):
            with pytest.raises((InvalidInput, TableError), match=words):
                wrong()
        assert other.chat.recent()[0].text == "said there"
        assert [(message.text, message.mentions) for message in chat.recent()] == [("mine", ["refuser"])]
        chat.mute(seconds=60)  # everybody
        assert chat.refresh().is_muted
        assert room.stage.arrange("spotlight", focus="refuser").focus == "refuser"


def test_not_read_yet_is_never_shown_as_none(sandbox: RunningSandbox) -> None:
    with spnb.connect("unread", url=sandbox.url, api_key=sandbox.api_key) as sp:
        room = sp.rooms.create("Unread")
        room.post()
        assert "not read yet" in repr(room.products)
        assert "not counted yet" in repr(room.audience)
        lobby, invited = sp.rooms.follow("idle"), spnb.LiveInvitations(sp)
        hearts = spnb.connect("unread", url=sandbox.url, api_key=sandbox.api_key).rooms.get(room.room_id).reactions
        for unread in (
            lambda: room.products.tagged,
            lambda: room.audience.count,
            lambda: room.audience.peak,
            lambda: lobby.rooms,
            lambda: len(lobby),
            lambda: list(lobby),
            lambda: lobby.df,
            lambda: invited.invitations,
            lambda: invited.pending,
            lambda: hearts.counts,
            lambda: hearts.total,
            lambda: hearts["heart"],
            lambda: dict(hearts),
        ):
            with pytest.raises(InvalidInput, match=r"not been (read|counted) yet|no reactions are counted yet"):
                unread()
        told: queue.SimpleQueue[list[spnb.Room]] = queue.SimpleQueue()
        nobody = sp.rooms.follow("terminated", type="directStreaming")
        end = nobody.observe(told.put)
        assert told.get(timeout=60) == [], "none is told too, once it is read"
        assert nobody.was_read
        end()
        room.products.refresh()
        room.audience.read()
        invited.refresh()
        assert room.room_id in [found.room_id for found in lobby.refresh()]
        assert (room.audience.count, room.audience.peak, invited.pending) == (0, 0, [])
        assert "0 of 20 tagged" in repr(room.products)
        assert "0 watching" in repr(room.audience)
        room.react("heart", times=2)
        assert room.reactions.counts == {"heart": 2}, "one's own are counted at once"


def test_no_log_of_any_library_holds_the_key(tmp_path: Path) -> None:
    program = (
        "import logging\n"
        "logging.basicConfig(level=logging.DEBUG)\n"  # to stderr: threads write into printed lines
        "import spnb\n"
        "sp = spnb.connect('logged')\n"
        "end = sp.rooms.create('Logged').observe(lambda _record: None)\n"
        "print('KEY', spnb.sandbox.running().api_key)\n"
        "print('TOKEN', sp.access_token())\n"
        "sp.close()\n"
        "spnb.sandbox.running().stop()\n"
    )
    env = {name: value for name, value in os.environ.items() if not name.startswith("SOCIALPLUS")}
    ran = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**env, "SPNB_HOME": str(tmp_path)},
    )
    lines = ran.stdout.splitlines()
    secrets = [line.split(" ", 1)[1] for line in lines if line.startswith(("KEY ", "TOKEN "))]
    assert len(secrets) == 2
    logged = "\n".join(line for line in lines if not line.startswith(("KEY ", "TOKEN "))) + ran.stderr
    assert "DEBUG" in logged
    for secret in secrets:
        assert secret not in logged
