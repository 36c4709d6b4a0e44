"""Where rows come from: the Console's export there and back, chat logs, the service, Arrow streams."""

from __future__ import annotations

import csv
import io
import json
import threading

import httpx
import pandas as pd
import pyarrow as pa
import pytest

import spnb
from spnb import analytics
from spnb.analytics.sources.exact import table_of
from spnb.errors import InvalidInput, TableError, Unreachable
from spnb.sandbox import SandboxInfo
from spnb.webhooks import Receiver, signed
from tests.analytics.season import season
from tests.conftest import RunningSandbox


def test_the_consoles_export_comes_back_as_it_went(tmp_path) -> None:
    dataset = analytics.load(season(streams=6, seed=11))
    kpis = dataset.kpis.assign(title=["=HYPERLINK(1)", "@sum", "-1", 'quote " , comma', "line\nbreak", "plain"])
    file = tmp_path / "streams.csv"
    file.write_text(analytics.console_csv(kpis), encoding="utf-8")
    for row in csv.reader(io.StringIO(file.read_text())):
        assert not any(cell.startswith(("=", "@", "-1")) for cell in row)
    made = analytics.read_console(file).set_index("room_id").loc[kpis.index]
    assert made["title"].tolist() == kpis["title"].tolist()
    assert made["creator_id"].tolist() == kpis["creator_id"].tolist()
    for name in ("views", "unique_viewers", "messages", "reactions"):
        assert made[name].tolist() == kpis[name].tolist()
    assert made["minutes_watched"].tolist() == pytest.approx(kpis["minutes_watched"].tolist(), abs=0.005)
    assert (made["created_at"] == kpis["created_at"].dt.floor("min")).all()
    assert made["duration_seconds"].tolist() == [float(int(value)) for value in kpis["duration_seconds"]]
    loaded = analytics.load(file)
    assert loaded.rooms["console_views"].sum() == kpis["views"].sum()
    assert loaded.quality.rows("sums of the Console only") == 6


def test_an_export_with_its_creator_below_the_title_and_another_zone(tmp_path) -> None:
    file = tmp_path / "export.csv"
    file.write_text(
        "Title;Created date;Duration;Views;Unique viewers;Min. watched;Messages;Reactions\n"
        '"Morning show\nBy ann";14 Nov 2025, 09:30;01:02:03;1,874;62;0;-;3\n',
        encoding="utf-8-sig",
    )
    made = analytics.read_console(file, time_zone="Europe/Berlin").iloc[0]
    assert (made["title"], made["creator_id"]) == ("Morning show", "ann")
    assert made["created_at"] == pd.Timestamp("2025-11-14T08:30Z")
    assert (made["duration_seconds"], made["views"], made["messages"]) == (3723, 1874, 0)


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ("x,14 nov. 2025 à 9h30,00:00:01,1", r"line 2: Created date .* cannot be read.*English locale"),
        ('x,"14 Nov 2025, 09:30",00:00:01,"1.874,5"', "line 2: Views '1.874,5' cannot be read"),
        ('x,"14 Nov 2025, 09:30",90 min,1', "line 2: Duration '90 min' cannot be read"),
    ],
)
def test_another_locale_is_refused_by_line(tmp_path, cells: str, told: str) -> None:
    file = tmp_path / "export.csv"
    file.write_text(f"Title,Created date,Duration,Views\n{cells}\n")
    with pytest.raises(TableError, match=told):
        analytics.load(file)


def test_files_that_are_nothing_known(tmp_path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    with pytest.raises(TableError, match="make no table"):
        analytics.load(other)
    with pytest.raises(TableError, match="lacks Title, Created date, Views"):
        analytics.read_console(other)
    other.write_bytes(b"\x80\x81\x00\x01")
    with pytest.raises(TableError, match="no text in UTF-8"):
        analytics.load(other)
    (tmp_path / "empty").mkdir()
    with pytest.raises(TableError, match="holds no tables"):
        analytics.load(tmp_path / "empty")


def test_a_youtube_log(tmp_path) -> None:
    renderer = {
        "id": "m1",
        "timestampUsec": "1772366400500000",
        "authorExternalChannelId": "UC1",
        "message": {"runs": [{"text": "hello "}, {"emoji": {}}]},
    }
    action = {"addChatItemAction": {"item": {"liveChatTextMessageRenderer": renderer}}}
    plain = {"timestamp": 1772366401000000, "author": {"id": "UC2"}, "message": "hi"}
    file = tmp_path / "talk.live_chat.jsonl"
    file.write_text(
        "\n".join(json.dumps(item) for item in ({"replayChatItemAction": {"actions": [action, {}]}}, plain))
    )
    made = analytics.load(file, room_id="talk").messages
    assert made["user_id"].tolist() == ["UC1", "UC2"]
    assert made["length"].tolist() == [7, 2]
    assert made["created_at"].iloc[0] == pd.Timestamp("2026-03-01T12:00:00.5Z")
    assert set(made["room_id"]) == {"talk"}


def test_a_twitch_log(tmp_path) -> None:
    comments = [
        {"_id": "1", "created_at": "2026-03-01T12:00:00.5Z", "commenter": {"_id": "7"}, "message": {"body": "Kappa"}},
        {"_id": "2", "created_at": "2026-03-01T12:00:01Z", "commenter": None, "message": {"body": "gone"}},
    ]
    file = tmp_path / "vod.json"
    file.write_text(json.dumps({"comments": comments}))
    made = analytics.load(file)
    assert made.messages[["user_id", "length"]].to_numpy().tolist() == [["7", 5], ["(left the service)", 4]]
    assert made.kpis.loc["vod", "chatters"] == 2
    file.write_text('{"comments": [\n{"commenter": ')
    with pytest.raises(TableError, match="torn off"):
        analytics.load(file)


def test_an_irc_log_needs_its_zone(tmp_path) -> None:
    file = tmp_path / "channel.log"
    file.write_text(
        "[2026-03-29 01:59:59] <@ann> early\n[2026-03-29 03:00:01] <bob> one second after\n"
        "[2026-03-29 03:00:02] *** carl joined\n[2026-03-29 03:00:02] <bob> one second after\n"
    )
    with pytest.raises(TableError, match=r"name no zone.*Europe/Berlin"):
        analytics.load(file)
    made = analytics.load(file, time_zone="Europe/Berlin").messages
    assert made["user_id"].tolist() == ["ann", "bob", "bob"]
    assert made["created_at"].diff().dt.total_seconds().tolist()[1:] == [2, 1]  # the clocks went forward in between


def test_a_broken_stream_of_rows_is_refused() -> None:
    table = pa.table({"room_id": ["r"]})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    whole = sink.getvalue().to_pybytes()
    assert table_of("rooms", whole).equals(table)
    with pytest.raises(TableError, match="arrived damaged"):
        table_of("rooms", whole[:40])


def test_nobody_answers() -> None:
    class Nobody:
        url = "http://127.0.0.1:1"
        api_key = "none"

    with pytest.raises(Unreachable, match="no answer"):
        analytics.load(Nobody())


def test_the_service_gives_rooms_chat_and_reactions(sandbox: RunningSandbox) -> None:
    with spnb.connect("analyst", url=sandbox.url, api_key=sandbox.api_key) as sp:
        room = sp.rooms.create("An evening of numbers", chat=False)
        post = sp.posts.create_room_post(room.room_id)
        channel = sp.channels.create_live(room.room_id, post.post_id)
        for words in ("one", "three", "fifteen"):
            sp.messages.send(channel.feed_id, words)
        sp.reactions.add(post.post_id, "post", "like")
        made = analytics.load(sp, most=5)
    row = made.rooms.set_index("room_id").loc[room.room_id]
    assert (row["title"], row["creator_id"], row["status"]) == ("An evening of numbers", "analyst", "idle")
    assert sorted(made.messages.loc[made.messages["room_id"] == room.room_id, "length"]) == [3, 5, 7]
    assert made.reactions.loc[made.reactions["room_id"] == room.room_id, "name"].tolist() == ["like"]
    assert made.status.loc[made.status["room_id"] == room.room_id, "status"].tolist() == ["idle"]
    assert made.mended.rows("without watch sessions") >= 1


@pytest.mark.media
def test_a_receiver_has_heard_of_streams_chat_and_reactions(sandbox: RunningSandbox, tmp_path) -> None:
    secret = "the secret of the webhook"
    told = threading.Event()
    with (
        spnb.connect("hooked-analyst", url=sandbox.url, api_key=sandbox.api_key) as sp,
        Receiver(secret, path=tmp_path / "kept.sqlite").serve() as receiver,
    ):
        receiver.on("room.recorded")(lambda _delivery: told.set())
        hooks = spnb.sandbox.webhooks(sp)
        webhook = hooks.add(receiver.url, secret, legacy=False)
        with spnb.sandbox.faults(sp) as faults:
            faults.add("double", where="webhook", share=0.5)
            faults.add("reorder", where="webhook", share=0.3, seconds=0.5)
            room = sp.rooms.create("Heard of")
            first = room.chat.send("one")
            room.chat.send("three", reply_to=first)
            room.chat.delete(room.chat.send("fifteen"))
            for name in ("like", "love"):
                sp.reactions.add(room.reference_id, "post", name)
            sp.reactions.remove(room.reference_id, "post", "like")
            with room.go_live(spnb.TestCard(320, 180)):
                room.until("live", timeout=60)
            room.recording(timeout=60)
        assert told.wait(60)
        made, exact = analytics.load(receiver), analytics.load(SandboxInfo.read(sandbox.info))
        assert analytics.load(receiver.asynchronous).rows("messages") == made.rows("messages")
        hooks.remove(webhook)
    mine = {name: made.table(name, [room.room_id]) for name in ("rooms", "messages", "reactions", "status")}
    truth = {name: exact.table(name, [room.room_id]) for name in mine}
    columns = {
        "rooms": ["room_id", "title", "creator_id", "channel_id", "status", "live_at", "ended_at"],
        "messages": ["message_id", "user_id", "created_at", "deleted", "is_reply", "length"],
        "reactions": ["reaction_id", "user_id", "name", "added"],
    }
    for name, chosen in columns.items():
        kept, known = (
            frame[chosen].sort_values(chosen[0]).reset_index(drop=True) for frame in (mine[name], truth[name])
        )
        pd.testing.assert_frame_equal(kept, known)
    assert {"live", "ended", "recorded"} <= set(mine["status"]["status"]) <= set(truth["status"]["status"])
    assert made.mended.rows("without watch sessions") >= 1


def test_a_room_that_only_an_id_is_told_of_has_the_times_of_its_changes(tmp_path) -> None:
    secret, began = "the secret of the webhook", pd.Timestamp.now("UTC").floor("s") - pd.Timedelta(minutes=5)
    with (
        Receiver(secret, path=tmp_path / "guide.sqlite").serve() as receiver,
        httpx.Client(trust_env=False, timeout=60) as http,
    ):
        for event, at in (("stream.ended", 60), ("stream.started", 0), ("recording.completed", 90)):
            moment = began + pd.Timedelta(seconds=at)
            body = json.dumps({"event": event, "data": {"streamId": "r1", "timestamp": moment.isoformat()}}).encode()
            sent = {"x-amity-signature": signed(body, secret), "content-type": "application/json"}
            assert http.post(receiver.url, content=body, headers=sent).status_code == 200
        stray = json.dumps({"event": "message.created", "data": {"messages": [{"messageId": "m", "channelId": "c"}]}})
        sent = {"x-amity-signature": signed(stray.encode(), secret), "content-type": "application/json"}
        assert http.post(receiver.url, content=stray.encode(), headers=sent).status_code == 200
        said = {"messageId": "n", "channelId": "c", "data": {"text": "hello"}, "createdAt": began.isoformat()}
        said |= {"creatorId": "u", "updatedAt": began.isoformat()}
        told = json.dumps({"event": "message.created", "data": {"streamId": "r1", "messages": [said]}})
        sent = {"x-amity-signature": signed(told.encode(), secret), "content-type": "application/json"}
        assert http.post(receiver.url, content=told.encode(), headers=sent).status_code == 200
        with pytest.raises(InvalidInput, match="receiver takes no options, not most"):
            analytics.load(receiver, most=10)
        made = analytics.load(receiver)
        spoken = analytics.load(receiver, text=True)
    assert "text" not in made.messages.columns
    assert spoken.messages["text"].tolist() == ["hello"]
    saved = spoken.redacted().save(tmp_path / "spoken")
    assert json.loads((saved / "dataset.json").read_text())["text"]
    assert analytics.load(saved).messages["text"].tolist() == ["hello"]
    assert "u" not in analytics.load(saved).messages["user_id"].tolist()
    closed = analytics.load(tmp_path / "guide.sqlite", text=True)
    assert closed.messages["text"].tolist() == ["hello"]
    row = made.rooms.set_index("room_id").loc["r1"]
    assert (row["ended_at"] - row["live_at"]).total_seconds() == 60
    assert sorted(made.status["status"]) == ["ended", "live", "recorded"]
    assert made.messages["message_id"].tolist() == ["n"]
    assert made.mended.rows("of no known stream") == 1
