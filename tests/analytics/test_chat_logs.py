"""Chat logs of every kind, made by hand as their tools write them: who, when, how long, and what was left out."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from spnb import analytics
from spnb.analytics.sources.chat_logs import kind_of_log, open_chat_log
from spnb.errors import TableError

BEGAN = pd.Timestamp("2026-03-02 18:00:00", tz="UTC")


def at(seconds: float) -> pd.Timestamp:
    return BEGAN + pd.Timedelta(seconds=seconds)


def micro(seconds: float) -> str:
    return str(int(at(seconds).timestamp() * 1_000_000))


def rows(frame: pd.DataFrame) -> list[tuple[str, float, int, bool]]:
    """User, seconds since the stream began, characters, deleted."""
    return [
        (row.user_id, (row.created_at - BEGAN).total_seconds(), row.length, row.deleted)
        for row in frame.sort_values("created_at", kind="stable").itertuples()
    ]


def write(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def twitch_comment(key: str, offset: float, commenter: Any, body: str, created: str = "2026-03-05T09:00:00Z") -> Any:
    return {
        "_id": key,
        "created_at": created,
        "content_offset_seconds": offset,
        "commenter": commenter,
        "message": {"body": body, "fragments": [{"text": body, "emoticon": None}]},
    }


TWITCH_HEAD = {
    "FileInfo": {"Version": {"Major": 1}},
    "streamer": {"name": "ann", "id": 77},
    "video": {"title": "Soup", "id": "1", "created_at": "2026-03-02T18:00:00Z", "start": 0, "end": 90, "length": 90},
}
ANN, LEFT = {"display_name": "Ann", "_id": "12", "name": "ann"}, None


def test_twitch_downloader_counts_from_the_stream_and_tells_its_room(tmp_path: Path) -> None:
    comments = [twitch_comment("a", 5, ANN, "hello"), twitch_comment("b", 12.5, LEFT, "gone")]
    told = {**TWITCH_HEAD, "comments": comments, "embeddedData": {"firstParty": ["x" * 100]}}
    for text in (json.dumps(told), json.dumps(told, indent=2)):
        log = open_chat_log(write(tmp_path / "chat.json", text))
        assert rows(log.messages) == [("12", 5, 5, False), ("(left the service)", 12.5, 4, False)]
        assert log.rooms is not None
        room = log.rooms.iloc[0]
        assert (room.title, room.creator_id, room.live_at, room.ended_at) == ("Soup", "77", BEGAN, at(90))


def test_twitch_by_graphql(tmp_path: Path) -> None:
    node = {
        "id": "a",
        "commenter": {"id": "12", "login": "ann"},
        "contentOffsetSeconds": 5,
        "createdAt": "2026-03-02T18:00:05Z",
        "message": {"fragments": [{"emote": None, "text": "hel"}, {"emote": {"emoteID": "1"}, "text": "lo"}]},
    }
    wrapped = [{"data": {"video": {"comments": {"edges": [{"cursor": "x", "node": node}]}}}}]
    path = write(tmp_path / "gql.json", wrapped)
    assert kind_of_log(path) == "twitch"
    assert rows(open_chat_log(path).messages) == [("12", 5, 5, False)]


def said(key: str, seconds: float, words: str, kind: str = "liveChatTextMessageRenderer", **more: Any) -> Any:
    return {
        kind: {
            "id": key,
            "timestampUsec": micro(seconds),
            "authorExternalChannelId": f"UC{key}",
            "authorName": {"simpleText": "A name"},
            "message": {"runs": [{"text": words}, {"emoji": {"emojiId": "x"}}]},
            **more,
        }
    }


def replayed(offset: float, *actions: Any) -> str:
    told = {"actions": list(actions), "videoOffsetTimeMsec": str(int(offset * 1000))}
    return json.dumps({"replayChatItemAction": told, "clickTrackingParams": "x"})


def test_yt_dlp_with_deletions_tickers_paid_messages_and_a_waiting_room(tmp_path: Path) -> None:
    waiting = said("w", -600, "early", timestampText={"simpleText": "-10:00"})
    sticker = said("s", 30, "", "liveChatPaidStickerRenderer")
    sticker["liveChatPaidStickerRenderer"].pop("message")
    lines = [
        replayed(0, {"addChatItemAction": {"item": waiting}}),
        replayed(5, {"addChatItemAction": {"item": said("a", 5, "hello")}}),
        replayed(8, {"addChatItemAction": {"item": said("b", 8, "rude")}}),
        replayed(20, {"addChatItemAction": {"item": said("p", 20, "thanks", "liveChatPaidMessageRenderer")}}),
        replayed(20, {"addLiveChatTickerItemAction": {"item": {"liveChatTickerPaidMessageItemRenderer": {"id": "p"}}}}),
        replayed(25, {"markChatItemAsDeletedAction": {"targetItemId": "b"}}),
        replayed(30, {"addChatItemAction": {"item": sticker}}),
        replayed(40, {"addChatItemAction": {"item": {"liveChatViewerEngagementMessageRenderer": {"id": "x"}}}}),
        replayed(50, {"addChatItemAction": {"item": said("c", 50, "again")}}),
        replayed(55, {"markChatItemsByAuthorAsDeletedAction": {"externalChannelId": "UCc"}}),
        '{"replayChatItemAction": {"actions": [{"addCh',
    ]
    log = open_chat_log(write(tmp_path / "video.live_chat.json", "\n".join(lines)))
    assert rows(log.messages) == [
        ("UCw", -600, 6, False),
        ("UCa", 5, 6, False),
        ("UCb", 8, 5, True),
        ("UCp", 20, 7, False),
        ("UCs", 30, 0, False),
        ("UCc", 50, 6, True),
    ]
    assert log.quality.rows("ticker of a paid message") == 1
    assert log.quality.rows("piece that is no JSON, e.g. torn off") == 1
    assert log.quality.rows("before the stream") == 1
    dataset = analytics.load(tmp_path / "video.live_chat.json")
    assert dataset.rooms["live_at"].iloc[0] == BEGAN  # the waiting room does not stretch the stream


def test_yt_dlp_written_while_live_has_no_wrapper(tmp_path: Path) -> None:
    line = json.dumps({"addChatItemAction": {"item": said("a", 5, "hello")}, "isLive": True})
    assert rows(open_chat_log(write(tmp_path / "live.json", line)).messages) == [("UCa", 5, 6, False)]


def test_words_may_hold_every_other_line_separator(tmp_path: Path) -> None:
    item = said("a", 5, "one\u2028two\u0085three")
    line = json.dumps({"addChatItemAction": {"item": item}}, ensure_ascii=False)
    assert len(open_chat_log(write(tmp_path / "live.json", f"{line}\n{line}\n")).messages) == 2
    text = "[2026-03-02T18:00:05Z] <ann> one\u2028two\x0bthree\n"
    assert rows(open_chat_log(write(tmp_path / "chat.log", text)).messages) == [("ann", 5, 13, False)]


def test_chat_downloader_of_both_services(tmp_path: Path) -> None:
    author = {"id": "UC1", "name": "Ann"}
    items = [
        {"action_type": "add_chat_item", "message_type": "text_message", "message_id": "a", "author": author}
        | {"message": "hello", "timestamp": int(micro(5)), "time_in_seconds": 5.0, "time_text": "0:05"},
        {"action_type": "add_chat_item", "message_type": "paid_message", "message_id": "p", "author": author}
        | {"message": "thanks", "timestamp": int(micro(20)), "time_in_seconds": 20.0, "money": {"amount": 5}},
        {"action_type": "add_live_chat_ticker_item", "message_type": "ticker_paid_message_item", "message_id": "p"}
        | {"author": author, "timestamp": int(micro(20)), "time_in_seconds": 20.0},
        {"action_type": "mark_chat_item_as_deleted", "message_type": "deleted", "target_message_id": "a"},
        {"action_type": "add_chat_item", "message_type": "text_message", "message_id": "w", "author": author}
        | {"message": "early", "timestamp": int(micro(-60)), "time_in_seconds": -60},
    ]
    for text in (json.dumps(items), json.dumps(items, indent=1), "\n".join(map(json.dumps, items))):
        log = open_chat_log(write(tmp_path / "chat.json", text))
        assert rows(log.messages) == [("UC1", -60, 5, False), ("UC1", 5, 5, True), ("UC1", 20, 6, False)]
        assert log.quality.rows("time read as microseconds") == 3
    twitch = {"message_type": "text_message", "message_id": "t", "message": "hi", "timestamp": int(micro(7))}
    twitch |= {"author": {"id": "9", "name": "bo", "display_name": "Bo"}, "channel_id": "1"}
    assert rows(open_chat_log(write(tmp_path / "twitch.json", [twitch])).messages) == [("9", 7, 2, False)]


def test_the_data_api_with_deletions(tmp_path: Path) -> None:
    def event(key: str, kind: str, seconds: float, **more: Any) -> Any:
        told = {"type": kind, "publishedAt": at(seconds).isoformat(), "authorChannelId": "UC1", **more}
        return {"kind": "youtube#liveChatMessage", "id": key, "snippet": told}

    page = {
        "kind": "youtube#liveChatMessageListResponse",
        "items": [
            event("a", "textMessageEvent", 5, textMessageDetails={"messageText": "hello"}, displayMessage="hello"),
            event("b", "superChatEvent", 9, displayMessage="$5"),
            event("c", "messageDeletedEvent", 10, messageDeletedDetails={"deletedMessageId": "a"}),
            event("d", "chatEndedEvent", 60),
        ],
    }
    path = write(tmp_path / "api.json", page)
    assert rows(open_chat_log(path).messages) == [("UC1", 5, 5, True), ("UC1", 9, 2, False)]


def test_pytchat(tmp_path: Path) -> None:
    item = {
        "author": {"channelId": "UC1", "name": "Ann", "isChatOwner": False},
        "type": "textMessage",
        "id": "a",
        "timestamp": int(at(5.25).timestamp() * 1000),
        "elapsedTime": "0:05",
        "message": "hello",
        "messageEx": ["hello"],
    }
    log = open_chat_log(write(tmp_path / "pytchat.json", [item]))
    assert rows(log.messages) == [("UC1", 5.25, 5, False)]
    assert log.quality.rows("time read as milliseconds") == 1


LINES = {
    "irssi": "--- Log opened Mon Mar 02 17:00:00 2026\n18:00 -!- ann [~a@b] has joined #x\n18:01 <@ann> hello\n"
    "--- Day changed Tue Mar 03 2026\n00:01 < bo> late\n",
    "weechat": "2026-03-02 18:00:00\t-->\tann (a@b) has joined #x\n2026-03-02 18:01:00\t@ann\thello\n"
    "2026-03-02 18:02:00\t--\tMode #x\n2026-03-03 00:01:00\tbo\tlate\n",
    "znc-2026-03-02.log": "[17:59:59] *** Joins: ann (a@b)\n[18:01:00] <ann> hello\n[00:01:00] <bo> late\n",
    "2026/03/02/#ubuntu.txt": "[18:00] === ann [~a@b] has joined #ubuntu\n[18:01] <ann> hello\n[00:01] <bo> late\n",
    "chatterino": "# Start logging at 2026-03-02 18:00:00 CET\n[18:01:00] ann: hello\n[00:01:00] bo: late\n",
}


@pytest.mark.parametrize("name", LINES)
def test_clients_and_archives_that_tell_the_day_elsewhere(name: str, tmp_path: Path) -> None:
    path = tmp_path / (name if "." in name else f"{name}.log")
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, LINES[name])
    log = open_chat_log(path, time_zone="UTC")
    assert rows(log.messages) == [("ann", 60, 5, False), ("bo", 6 * 3600 + 60, 4, False)]
    with pytest.raises(TableError, match="time_zone="):
        open_chat_log(path)


def test_downloaders_that_write_text(tmp_path: Path) -> None:
    absolute = "[2026-03-02 18:00:05 UTC] ann: hello\n[2026-03-02 18:01:00 UTC] bo: a: b\n"
    assert rows(open_chat_log(write(tmp_path / "a.txt", absolute)).messages) == [
        ("ann", 5, 5, False),
        ("bo", 60, 4, False),
    ]
    for relative in ("[0:00:05] ann: hello\n[1:00:00] bo: late\n", "[0:00:05] <ann> hello\n[1:00:00] <bo> late\n"):
        path = write(tmp_path / "tcd.txt", relative)
        log = open_chat_log(path, start="2026-03-02 19:00+01:00")
        assert rows(log.messages) == [("ann", 5, 5, False), ("bo", 3600, 4, False)]
        guessed = open_chat_log(path)
        assert guessed.quality.rows("start of the stream not told") == 1
        assert (guessed.messages["created_at"].diff().iloc[1]).total_seconds() == 3595
    piped = "-0:10 | early bird: hi\n0:05 | (Member) Ann B: hello\n"
    log = open_chat_log(write(tmp_path / "cd.txt", piped), start=BEGAN)
    assert rows(log.messages) == [("early bird", -10, 2, False), ("Ann B", 5, 5, False)]


def test_twitch_over_irc_with_deletions(tmp_path: Path) -> None:
    def line(tags: str, rest: str) -> str:
        return f"@{tags} :{rest}"

    when = [int(at(seconds).timestamp() * 1000) for seconds in (5, 6, 7)]
    text = "\n".join(
        [
            ":tmi.twitch.tv 001 justinfan :Welcome",
            line(
                f"display-name=Ann;id=a;tmi-sent-ts={when[0]};user-id=1", "ann!ann@ann.tmi.twitch.tv PRIVMSG #x :hello"
            ),
            line(f"id=b;tmi-sent-ts={when[1]};user-id=2", "bo!bo@bo.tmi.twitch.tv PRIVMSG #x :rude"),
            line(
                f"id=c;reply-parent-msg-id=a;tmi-sent-ts={when[2]};user-id=3",
                "cy!c@c.tmi.twitch.tv PRIVMSG #x :@ann hi",
            ),
            line("login=ann;target-msg-id=a", "tmi.twitch.tv CLEARMSG #x :hello"),
            line("target-user-id=2", "tmi.twitch.tv CLEARCHAT #x :bo"),
        ]
    )
    log = open_chat_log(write(tmp_path / "irc.log", text))
    assert rows(log.messages) == [("1", 5, 5, True), ("2", 6, 4, True), ("3", 7, 7, False)]
    assert list(log.messages["is_reply"]) == [False, False, True]


def test_discord(tmp_path: Path) -> None:
    def message(key: str, kind: str, content: str, **more: Any) -> Any:
        author = {"id": "12", "name": "ann", "discriminator": "0000", "isBot": False}
        return {"id": key, "type": kind, "timestamp": at(5).isoformat(), "content": content, "author": author, **more}

    told = {
        "guild": {"id": "1", "name": "Cooks"},
        "channel": {"id": "2", "name": "soup"},
        "messages": [
            message("a", "Default", "hello"),
            message("b", "Reply", "yes", reference={"messageId": "a"}),
            message("c", "GuildMemberJoin", "joined"),
        ],
    }
    log = open_chat_log(write(tmp_path / "discord.json", json.dumps(told, indent=2)))
    assert rows(log.messages) == [("12", 5, 5, False), ("12", 5, 3, False)]
    assert log.rooms is not None
    assert log.rooms["title"].iloc[0] == "soup"
    assert log.quality.rows("not a message of somebody") == 1


def test_danmaku_of_the_site_and_of_a_recorder(tmp_path: Path) -> None:
    site = '<?xml version="1.0"?><i><chatid>1</chatid><d p="5.5,1,25,16777215,1772900000,0,abc,99,10">你好</d>'
    path = write(tmp_path / "danmaku.xml", f'{site}<d p="x,1">?</d></i>')
    log = open_chat_log(path, start=BEGAN)
    assert rows(log.messages) == [("abc", 5.5, 2, False)]
    assert log.quality.rows("message without time") == 1
    recorder = (
        '<i><BililiveRecorderRecordInfo roomid="1" name="Ann" title="Soup" start_time="2026-03-02T19:00:00+01:00"/>'
        '<d p="5.5,1,25,1,1772474405500,0,0,0" user="bo">hi</d><gift ts="6" user="bo"/>'
    )
    log = open_chat_log(write(tmp_path / "rec.xml", recorder))  # cut off while recording
    assert rows(log.messages)[0][1:3] == (5.5, 2)
    assert log.rooms is not None
    assert tuple(log.rooms[["title", "creator_id"]].iloc[0]) == ("Soup", "Ann")
    bomb = '<!DOCTYPE i [<!ENTITY a "aaaa">]><i><d p="1,1,1,1,1772474405,0,u,1">&a;</d></i>'
    with pytest.raises(TableError):
        open_chat_log(write(tmp_path / "bomb.xml", bomb))


def test_packed_logs_are_known_by_their_bytes(tmp_path: Path) -> None:
    text = json.dumps({**TWITCH_HEAD, "comments": [twitch_comment("a", 5, ANN, "hello")]}).encode()
    packed = tmp_path / "a.json.gz"
    packed.write_bytes(gzip.compress(text))
    other = tmp_path / "b.json"
    other.write_bytes(pa.compress(text, codec="zstd", asbytes=True))
    for path in (packed, other):
        assert kind_of_log(path) == "twitch"
        assert rows(open_chat_log(path).messages) == [("12", 5, 5, False)]
    assert open_chat_log(packed).messages["room_id"].iloc[0] == "a"


def test_a_document_longer_than_what_is_read_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from spnb.analytics.sources.chat_logs import opening

    comments = [twitch_comment(str(n), n, ANN, "x" * (n % 90)) for n in range(300)]
    told = {**TWITCH_HEAD, "embeddedData": ["y" * 5_000], "comments": comments, "after": 1234567}
    whole = open_chat_log(write(tmp_path / "chat.json", told)).messages
    for piece in (2, 7, 64, 1000):
        monkeypatch.setattr(opening, "PIECE", piece)
        log = open_chat_log(tmp_path / "chat.json")
        pd.testing.assert_frame_equal(log.messages, whole)
        assert not [step for step in log.quality if step.action == "skipped"]
    torn = write(tmp_path / "torn.json", json.dumps(told)[:20_000])
    monkeypatch.setattr(opening, "PIECE", 512)
    log = open_chat_log(torn)
    assert 0 < len(log.messages) < 300
    assert log.quality.rows("piece that is no JSON, e.g. torn off") == 1


def test_old_clients_wrote_other_encodings(tmp_path: Path) -> None:
    path = tmp_path / "old.log"
    path.write_bytes(
        "[2026-03-02T18:00:05Z] <ann> grüße\n".encode("cp1252") + "[2026-03-02T18:00:06Z] <bo> ü\n".encode()
    )
    log = open_chat_log(path)
    assert rows(log.messages) == [("ann", 5, 5, False), ("bo", 6, 1, False)]
    assert log.quality.rows("line not in UTF-8") == 1


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.json", '{"comments": []}', "comments with created_at"),
        ("a.json", '{"comments": [{"commenter": {"name": "x"}}]}', "message without time"),
        ("a.txt", "nothing of a chat\n", "kind="),
        ("a.log", "[18:01] <ann> hello\n", "day"),
    ],
)
def test_what_is_not_understood_is_an_error_that_says_what_was_expected(
    name: str, content: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(TableError, match=words):
        open_chat_log(write(tmp_path / name, content), time_zone="UTC")
    with pytest.raises(TableError, match="kind is one of"):
        open_chat_log(write(tmp_path / "b", "x"), kind="nonsense")  # type: ignore[arg-type]


def test_a_loaded_log_is_a_stream_with_its_title_window_and_what_was_judged(tmp_path: Path) -> None:
    comments = [twitch_comment(str(n), n * 3, {"_id": str(n % 4), "name": "x"}, "hey") for n in range(30)]
    dataset = analytics.load(write(tmp_path / "soup.json", {**TWITCH_HEAD, "comments": comments}))
    stream = dataset.kpis.loc["soup"]
    assert (stream["title"], stream["messages"]) == ("Soup", 30)
    assert dataset.rooms["ended_at"].iloc[0] == at(90)


def test_the_hour_that_a_clock_shows_twice(tmp_path: Path) -> None:
    text = "".join(f"[2026-10-25 {clock}] <ann> x\n" for clock in ("02:30:00", "02:59:00", "02:01:00", "03:00:00"))
    times = open_chat_log(write(tmp_path / "dst.log", text), time_zone="Europe/Berlin").messages["created_at"]
    assert list(times.dt.strftime("%H:%M")) == ["00:30", "00:59", "01:01", "02:00"]
