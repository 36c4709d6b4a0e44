"""Chat logs as they are found: what tools write in other modes, older versions and other clients than the usual."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from spnb import analytics
from spnb.analytics.sources.chat_logs import kind_of_log, open_chat_log
from spnb.errors import TableError
from tests.analytics.test_chat_logs import BEGAN, LEFT, TWITCH_HEAD, at, micro, replayed, rows, said, twitch_comment

CLIENTS = {
    "hexchat": "**** BEGIN LOGGING AT Mon Mar  2 18:00:00 2026\n\nMar 02 18:00:30 *\tann (a@b) has joined\n"
    "Mar 02 18:01:00 <ann>\thello\nMar 02 18:02:00 *\tann waves\nMar 03 00:01:00 <bo>\tlate\n"
    "**** ENDING LOGGING AT Tue Mar  3 00:02:00 2026\n",
    "mirc": "\nSession Start: Mon Mar 02 18:00:00 2026\nSession Ident: #x\n[18:00] * Now talking in #x\n"
    "[18:01] <@ann> hello\n[18:02] * ann waves\n[00:01] <bo> late\nSession Close: Tue Mar 03 00:02:00 2026\n",
    "eggdrop": "[17:00] --- Mon Mar  2 2026\n[18:00] ann (a@b) joined #x.\n[18:01] <ann> hello\n"
    "[18:02] Action: ann waves\n[00:00] --- Tue Mar  3 2026\n[00:01] <bo> late\n",
    "irssi": "--- Log opened Mon Mar 02 17:00:00 2026\n18:00 -!- ann [~a@b] has joined #x\n18:01 <@ann> hello\n"
    "18:02  * ann waves\n--- Day changed Tue Mar 03 2026\n00:01 < bo> late\n",
    "weechat": "2026-03-02 18:00:00\t-->\tann (a@b) has joined #x\n2026-03-02 18:01:00\t@ann\thello\n"
    "2026-03-02 18:02:00\t *\tann waves\n2026-03-03 00:01:00\tbo\tlate\n",
    "znc-2026-03-02": "[18:00:00] *** Joins: ann (a@b)\n[18:01:00] <ann> hello\n[18:02:00] * ann waves\n"
    "[18:03:00] -NickServ- identify\n[00:01:00] <bo> late\n",
    "supybot": "2026-03-02T18:00:00 *** ann <a@b> has joined #x\n2026-03-02T18:01:00 <ann> hello\n"
    "2026-03-02T18:02:00 * ann waves\n2026-03-03T00:01:00 <bo> late\n",
    "meeting.2026-03-02-18.00": "18:01:00 <ann> hello\n18:02:00 * ann waves\n00:01:00 <bo> late\n",
    "halfday-2026-03-02": "[6:01:00 PM] <ann> hello\n[6:02:00 PM] * ann waves\n[12:01:00 AM] <bo> late\n",
    "chatterino": "# Start logging at 2026-03-02 18:00:00 CET\n[18:01:00] ann: hello\n"
    "[18:02:00]  #x ann: waves\n[18:03:00] cy has been timed out for 10m.\n[00:01:00] bo: late\n",
    "justlog": "[2026-03-02 18:01:00] #x ann: hello\n[2026-03-02 18:02:00] #x ann: waves\n"
    "[2026-03-02 18:03:00] cy has been timed out for 600 seconds\n[2026-03-03 00:01:00] #x bo: late\n",
}


@pytest.mark.parametrize("name", CLIENTS)
def test_clients_and_what_they_write_of_actions_and_days(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.log"
    for text in (CLIENTS[name], CLIENTS[name].replace("\n", "\r\n")):
        path.write_text(text, newline="")
        log = open_chat_log(path, time_zone="UTC")
        assert rows(log.messages) == [
            ("ann", 60, 5, False),
            ("ann", 120, 5, False),
            ("bo", 6 * 3600 + 60, 4, False),
        ]


@pytest.mark.parametrize(
    "line",
    [
        "[18:03:00] {} has been timed out for 10m.",
        "[18:03:00] #x {} has been permanently banned.",
        "[18:03:00] {} has been banned",
        "[2026-03-02 18:03:00] #x {} has been timed out for 600 seconds",
    ],
)
def test_who_is_timed_out_has_written_nothing_before(line: str, tmp_path: Path) -> None:
    text = (
        "[18:00:00] cy_is: fine\n[18:01:00] cy: spam\n[18:02:00] Cy: more of it\n"
        f"{line.format('cy')}\n[18:04:00] Cy: sorry\n[18:05:00] bo: cy has been timed out for 10m.\n"
    )
    if line.startswith("[2026"):
        text = text.replace("[18:", "[2026-03-02 18:")
    for name in ("time_zone", "start"):  # told at once, and after the zone is
        given = {"time_zone": "UTC"} | ({"start": BEGAN} if name == "start" else {})
        made = open_chat_log(write(tmp_path / "chat-2026-03-02.log", text), text=True, **given)
        gone = made.messages["deleted"].tolist()
        assert made.messages["user_id"].tolist() == ["cy_is", "cy", "Cy", "Cy", "bo"]
        assert gone == [False, True, True, False, False]
        assert not made.quality.rows("line that is no message")


def test_a_chat_cleared_for_everybody_is_told(tmp_path: Path) -> None:
    sent = "@id={};user-id=1;tmi-sent-ts=1772474400000 :ann!ann@x PRIVMSG #x :hello\n"
    clear = "@room-id=9;tmi-sent-ts=1772474401000 :tmi.twitch.tv CLEARCHAT #x\n"
    made = open_chat_log(write(tmp_path / "chat.log", sent.format("a") + clear + sent.format("b")))
    assert made.messages["deleted"].tolist() == [False, False]
    assert made.quality.rows("chat cleared for everybody") == 1


def test_a_recording_named_by_its_day_still_counts_from_its_start(tmp_path: Path) -> None:
    file = write(tmp_path / "[2026-03-02] show.txt", "[0:00:05] ann: hi\n[0:01:00] bo: hello\n[1:00:00] cy: late\n")
    made = open_chat_log(file, start=BEGAN)
    assert rows(made.messages) == [("ann", 5, 2, False), ("bo", 60, 5, False), ("cy", 3600, 4, False)]


def write(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content), newline="")
    return path


def test_chat_downloader_as_text_with_badges_money_and_half_days(tmp_path: Path) -> None:
    text = (
        "-0:10 | early bird: hi\n"
        "0:05 | (New member) Ann B: hello\n"
        "1:00 | (Member (6 months), Moderator) Bo: a: b\n"
        "1:01 | *$5.00* Cy: thanks\n"
        "1:02 | (Verified) *¥1,000* Di\n"
        "1,000:00:00 | Eve: what a stream\n"
    )
    log = open_chat_log(write(tmp_path / "chat.txt", text), start=BEGAN)
    assert rows(log.messages)[:5] == [
        ("early bird", -10, 2, False),
        ("Ann B", 5, 5, False),
        ("Bo", 60, 4, False),
        ("Cy", 61, 6, False),
        ("Di", 62, 0, False),
    ]
    live = "2026-03-02 18:00:05 | (Member (1 month)) Ann: hello\n2026-03-02 18:00:06 | *€2.00* Bo: yes\n"
    log = open_chat_log(write(tmp_path / "live.txt", live), time_zone="UTC")
    assert rows(log.messages) == [("Ann", 5, 5, False), ("Bo", 6, 3, False)]


def test_chat_downloader_as_csv_with_deletions(tmp_path: Path) -> None:
    head = (
        "action_type,author.id,author.name,message,message_id,message_type,target_message_id,time_in_seconds,timestamp"
    )
    lines = [
        head,
        f'add_chat_item,UC1,Ann,"hello, all\nof you",a,text_message,,5.0,{micro(5)}',
        f"add_chat_item,UC2,Bo,rude,b,text_message,,6.0,{micro(6)}",
        f"add_live_chat_ticker_item,UC2,Bo,,p,ticker_paid_message_item,,7.0,{micro(7)}",
        f"mark_chat_item_as_deleted,,,,,deleted_message,b,8.0,{micro(8)}",
    ]
    path = write(tmp_path / "chat.csv", "\r\n".join(lines) + "\r\n")
    assert kind_of_log(path) == "youtube"
    log = open_chat_log(path, text=True)
    assert rows(log.messages) == [("UC1", 5, 17, False), ("UC2", 6, 4, True)]
    assert log.messages["text"].iloc[0] == "hello, all\nof you"
    assert log.quality.rows("ticker of a paid message") == 1
    assert analytics.load(path).kpis.loc["chat", "messages"] == 1


def test_discord_as_csv(tmp_path: Path) -> None:
    lines = [
        "AuthorID,Author,Date,Content,Attachments,Reactions",
        '"12","ann","2026-03-02T18:00:05.1230000+00:00","hello, ""you""","",""',
        '"13","bo#0001","2026-03-02T19:00:06.0000000+01:00","hi\nthere","","👍 (2)"',
    ]
    path = write(tmp_path / "soup.csv", "\n".join(lines) + "\n")
    assert kind_of_log(path) == "discord"
    assert rows(open_chat_log(path).messages) == [("12", 5.123, 12, False), ("13", 6, 8, False)]


def test_discord_as_text_in_blocks(tmp_path: Path) -> None:
    text = (
        "==============================================================\nGuild: Cooks\nChannel: Text / soup\n"
        "==============================================================\n\n"
        "[02-Mar-26 06:00 PM] ann#1234\nhello\n[18:00] <x> no message of its own\n\n"
        "[02-Mar-26 06:01 PM] bo (pinned)\n\n{Attachments}\nhttps://example.org/a.png\n\n"
        "==============================================================\nExported 2 message(s)\n"
        "==============================================================\n"
    )
    path = write(tmp_path / "soup.txt", text)
    log = open_chat_log(path, time_zone="UTC", text=True)
    assert [(row.user_id, row.text) for row in log.messages.itertuples()] == [
        ("ann#1234", "hello\n[18:00] <x> no message of its own"),
        ("bo", ""),
    ]
    assert rows(log.messages)[1][1] == 60
    assert log.rooms is not None
    assert log.rooms["title"].iloc[0] == "soup"


def test_other_forms_of_date_and_time_in_text_blocks(tmp_path: Path) -> None:
    for told in ("3/2/2026 6:00 PM", "2026-03-02 18:00"):
        path = write(
            tmp_path / "soup.txt", f"{'=' * 62}\nGuild: Cooks\nChannel: soup\n{'=' * 62}\n\n[{told}] ann\nhello\n"
        )
        assert rows(open_chat_log(path, time_zone="UTC").messages) == [("ann", 0, 5, False)]


def test_twitch_bans_and_deletions_by_chat_downloader(tmp_path: Path) -> None:
    def item(action: str, kind: str, seconds: float, **more: Any) -> Any:
        return {"action_type": action, "message_type": kind, "timestamp": int(micro(seconds)), **more}

    items = [
        item("text_message", "text_message", 5, message_id="a", message="hi", author={"id": "1", "name": "ann"}),
        item("text_message", "text_message", 6, message_id="b", message="no", author={"id": "2", "name": "bo"}),
        item("text_message", "text_message", 7, message_id="c", message="ok", author={"id": "3", "name": "cy"}),
        item("delete_message", "delete_message", 8, message="hi", target_message_id="a", author={"name": "ann"}),
        item("clear_chat", "ban_user", 9, ban_type="timeout", banned_user="bo", author={"target_id": "2"}),
        item("clear_chat", "clear_chat", 10),
        item("room_state", "room_state", 11, slow_mode=True),
    ]
    log = open_chat_log(write(tmp_path / "twitch.json", items))
    assert rows(log.messages) == [("1", 5, 2, True), ("2", 6, 2, True), ("3", 7, 2, False)]
    youtube = [
        {"action_type": "add_chat_item", "message_type": "text_message", "message_id": "a", "message": "hi"}
        | {"author": {"id": "UC1", "name": ""}, "timestamp": int(micro(5))},
        {"action_type": "remove_chat_item_by_author", "message_type": "ban_user", "author": {"id": "UC1"}},
        {"action_type": "add_chat_item", "message_type": "sponsorships_gift_redemption_announcement", "message_id": "g"}
        | {"message": "was gifted", "author": {"id": "UC9"}, "timestamp": int(micro(9))},
    ]
    assert rows(open_chat_log(write(tmp_path / "yt.json", youtube)).messages) == [("UC1", 5, 2, True)]


def test_a_message_that_was_held_back_and_let_through(tmp_path: Path) -> None:
    placeholder = {"liveChatPlaceholderItemRenderer": {"id": "h", "timestampUsec": micro(5)}}
    lines = [
        replayed(5, {"addChatItemAction": {"item": placeholder}}),
        replayed(5, {"replaceChatItemAction": {"targetItemId": "h", "replacementItem": said("h", 5, "hello")}}),
        replayed(6, {"addChatItemAction": {"item": said("a", 6, "rude")}}),
        replayed(6, {"replaceChatItemAction": {"targetItemId": "a", "replacementItem": said("a", 6, "rude")}}),
    ]
    path = write(tmp_path / "x.live_chat.json", "\n".join(lines))
    messages = analytics.load(path).messages
    assert [(row.user_id, row.length) for row in messages.sort_values("created_at").itertuples()] == [
        ("UCh", 6),
        ("UCa", 5),
    ]


def test_emoji_and_emotes_are_kept_with_the_words(tmp_path: Path) -> None:
    from spnb.analytics.words import emoji

    runs = [
        {"text": "nice "},
        {"emoji": {"emojiId": "🔥", "shortcuts": [":fire:"]}},
        {"emoji": {"emojiId": "UCx/abc", "shortcuts": [":_soup:", ":soup:"], "isCustomEmoji": True}},
    ]
    lines = [replayed(5, {"addChatItemAction": {"item": said("a", 5, "", message={"runs": runs})}})]
    path = write(tmp_path / "x.live_chat.json", "\n".join(lines))
    made = analytics.load(path, text=True)
    assert made.messages["text"].iloc[0] == "nice 🔥:_soup:"
    assert emoji(made)["sent"].to_dict() == {"🔥": 1, ":_soup:": 1}


def test_what_was_written_to_a_super_chat(tmp_path: Path) -> None:
    told = {
        "type": "superChatEvent",
        "publishedAt": at(9).isoformat(),
        "authorChannelId": "UC1",
        "displayMessage": '$5.00 from Ann: "thanks"',
        "superChatDetails": {"amountMicros": "5000000", "userComment": "thanks"},
    }
    item = {"kind": "youtube#liveChatMessage", "id": "b", "snippet": told}
    path = write(tmp_path / "api.jsonl", f"{json.dumps(item)}\n{json.dumps({**item, 'id': 'c'})}\n")
    assert rows(open_chat_log(path).messages) == [("UC1", 9, 6, False)] * 2
    pages = [{"kind": "youtube#liveChatMessageListResponse", "items": [item]}]
    assert rows(open_chat_log(write(tmp_path / "pages.json", pages)).messages) == [("UC1", 9, 6, False)]


def test_older_and_other_shapes_of_twitchs_comments(tmp_path: Path) -> None:
    # tcd and old versions of TwitchDownloader: the video after its comments, emotes before
    old = {"emotes": {"thirdParty": [], "firstParty": []}, "comments": [twitch_comment("a", 5, LEFT, "hello")]}
    old["video"] = {"title": "Soup", "recorded_at": "2026-03-02T18:00:00Z", "length": 90, "channel": {"_id": 77}}
    log = open_chat_log(write(tmp_path / "old.json", old))
    assert rows(log.messages) == [("(left the service)", 5, 5, False)]
    assert log.rooms is not None
    assert log.rooms["title"].iloc[0] == "Soup"
    # twitch-dl
    node = {
        "id": "a",
        "commenter": {"id": "12", "login": "ann", "displayName": "Ann"},
        "contentOffsetSeconds": 5,
        "createdAt": "2026-03-02T18:00:05.123456789Z",
        "message": {"fragments": [{"emote": None, "text": "hello"}], "userBadges": [], "userColor": None},
    }
    video = {"id": "1", "title": "Soup", "publishedAt": "2026-03-02T18:00:00Z", "lengthSeconds": 90}
    video["creator"] = {"login": "ann", "displayName": "Ann"}
    for told in ({"video": video, "comments": [node]}, {"comments": [node], "video": video}):
        log = open_chat_log(write(tmp_path / "dl.json", told))
        assert rows(log.messages) == [("12", 5, 5, False)]
        assert log.rooms is not None
        room = log.rooms.iloc[0]
        assert (room.title, room.creator_id, room.live_at, room.ended_at) == ("Soup", "ann", BEGAN, at(90))
    # comments one a line, as scripts collect them
    lines = "\n".join(json.dumps(twitch_comment(key, 5, LEFT, "hello", at(5).isoformat())) for key in "ab")
    assert len(open_chat_log(write(tmp_path / "lines.json", lines)).messages) == 2


def test_logs_of_rustlog_and_justlog_as_json(tmp_path: Path) -> None:
    sent = int(at(5).timestamp() * 1000)
    raw = f"@display-name=Ann;id=a;tmi-sent-ts={sent};user-id=1 :ann!ann@ann.tmi.twitch.tv PRIVMSG #x :hello"
    message = {"text": "hello", "username": "ann", "displayName": "Ann", "channel": "x", "id": "a", "type": 1}
    message |= {"timestamp": at(5).isoformat(), "raw": raw, "tags": {"user-id": "1"}}
    ban = {"text": "", "username": "ann", "channel": "x", "type": 2, "timestamp": at(6).isoformat(), "tags": {}}
    ban["raw"] = f"@target-user-id=1;tmi-sent-ts={sent + 1000} :tmi.twitch.tv CLEARCHAT #x :ann"
    assert rows(open_chat_log(write(tmp_path / "r.json", {"messages": [message, ban]})).messages) == [("1", 5, 5, True)]


def test_raw_irc_as_scripts_keep_it(tmp_path: Path) -> None:
    sent = int(at(5).timestamp() * 1000)
    tags = f"@badge-info=;badges=;color=;display-name=Ann;emotes=;first-msg=0;flags=;id=a;tmi-sent-ts={sent};user-id=1"
    said_ = "ann!ann@ann.tmi.twitch.tv PRIVMSG #x :"
    text = f"PING :tmi.twitch.tv\n< {tags} :{said_}\x01ACTION waves\x01\n2026-03-02 18:00:05,123 {tags} :{said_}hello\n"
    assert rows(open_chat_log(write(tmp_path / "irc.log", text)).messages) == [("1", 5, 5, False)] * 2


def test_danmaku_of_other_recorders(tmp_path: Path) -> None:
    text = (
        '<?xml version="1.0" encoding="utf-8"?>\n<i>\n<chatserver>chat.bilibili.com</chatserver>\n'
        "<metadata><user_name>Ann</user_name><room_id>1</room_id><room_title>Soup</room_title><area>x</area>"
        "<live_start_time>2026-03-02T18:55:00+08:00</live_start_time>"
        "<record_start_time>2026-03-03T02:00:00+08:00</record_start_time></metadata>\n"
        '<d p="5.500,1,25,16777215,1772474405500,0,abc,0" uid="7" user="bo">hi</d>\n'
        '<sc ts="6.5" uid="8" user="cy" price="30" time="60">thanks</sc>\n</i>'
    )
    log = open_chat_log(write(tmp_path / "blrec.xml", text))
    assert rows(log.messages) == [("7", 5.5, 2, False), ("8", 6.5, 6, False)]
    assert log.rooms is not None
    assert tuple(log.rooms[["title", "creator_id"]].iloc[0]) == ("Soup", "Ann")


def test_logs_in_other_encodings_and_packings(tmp_path: Path) -> None:
    text = json.dumps({**TWITCH_HEAD, "comments": [twitch_comment("a", 5, LEFT, "héllo")]}, ensure_ascii=False)
    for encoding in ("utf-8-sig", "utf-16", "utf-16-le"):
        path = tmp_path / "chat.json"
        path.write_bytes((b"\xff\xfe" if encoding == "utf-16-le" else b"") + text.encode(encoding))
        assert rows(open_chat_log(path).messages) == [("(left the service)", 5, 5, False)], encoding
    line = "[2026-03-02T18:00:05Z] <ann> héllo\r\n"
    (tmp_path / "chat.log").write_bytes(line.encode("utf-16"))
    assert rows(open_chat_log(tmp_path / "chat.log").messages) == [("ann", 5, 5, False)]
    packed = tmp_path / "chat.log.gz"
    packed.write_bytes(gzip.compress(line.encode()) + gzip.compress(line.encode()))
    assert len(open_chat_log(packed).messages) == 2
    frames = tmp_path / "chat.log.zst"
    frames.write_bytes(b"".join(pa.compress(line.encode(), codec="zstd", asbytes=True) for _ in range(3)))
    assert len(open_chat_log(frames).messages) == 3
    lines = "".join(f"[2026-03-02T18:00:05Z] <ann> {hash((n, 'x'))}\n" for n in range(5_000)).encode()
    packed.write_bytes(gzip.compress(lines)[:-2000])  # its recorder was stopped
    frames.write_bytes(pa.compress(lines, codec="zstd", asbytes=True)[:-2000])
    for path in (packed, frames):
        log = open_chat_log(path)
        assert 0 < len(log.messages) < 5_000
        assert log.quality.rows("end of the file, torn") == 1
    short = gzip.compress(lines[: lines.index(b"\n", 20_000) + 1])
    packed.write_bytes(short[: len(short) // 2])  # shorter than what is looked at to tell what it is
    log = open_chat_log(packed)
    assert len(log.messages) > 50
    assert log.quality.rows("end of the file, torn") == 1
    table = tmp_path / "messages.csv.gz"
    rows_ = "".join(f"a,{n},2026-03-02T18:00:05Z,{hash((n, 'x'))}\n" for n in range(5_000))
    table.write_bytes(gzip.compress(f"room_id,user_id,created_at,extra\n{rows_}".encode())[:-2000])
    with pytest.raises(TableError, match=r"^messages.csv.gz is packed, and torn"):
        analytics.load(table)
    frames.write_bytes(frames.read_bytes()[:20])  # before its first line
    with pytest.raises(TableError, match=r"^chat.log.zst is packed, and torn"):
        analytics.load(frames)
    for name, held in (
        ("views.csv", b""),
        ("views.json", b" \n"),
        ("chat.txt", b""),
        ("chat.log.gz", gzip.compress(b"")),
    ):
        (tmp_path / name).write_bytes(held)
        with pytest.raises(TableError, match=f"^{name} is empty"):
            analytics.load(tmp_path / name)


def test_emotes_of_twitch_are_named_among_the_words(tmp_path: Path) -> None:
    from spnb.analytics.words import emoji

    first = twitch_comment("a", 5, LEFT, "nice Kappa :)")
    first["message"]["fragments"] = [
        {"text": "nice ", "emoticon": None},
        {"text": "Kappa", "emoticon": {"emoticon_id": "25"}},
        {"text": " ", "emoticon": None},
        {"text": ":)", "emoticon": {"emoticon_id": "1"}},
    ]
    node = twitch_comment("b", 6, LEFT, "")
    node["message"] = {"fragments": [{"emote": {"emoteID": "25"}, "text": "Kappa"}]}
    path = write(tmp_path / "chat.json", {**TWITCH_HEAD, "comments": [first, node]})
    made = analytics.load(path, text=True)
    assert sorted(made.messages["text"]) == [":Kappa:", "nice :Kappa: :)"]
    assert sorted(made.messages["length"]) == [5, 13]  # as it was written
    assert emoji(made)["sent"].to_dict() == {":Kappa:": 2}
    sent = int(at(5).timestamp() * 1000)
    line = f"@emotes=25:0-4,11-15/30259:6-9;id=a;tmi-sent-ts={sent};user-id=1 :ann!a@b PRIVMSG #x :Kappa hey! Kappa"
    log = open_chat_log(write(tmp_path / "irc.log", f"{line}\n"), text=True)
    assert log.messages["text"].tolist() == [":Kappa: hey! :Kappa:"]
    assert open_chat_log(tmp_path / "irc.log").messages["length"].tolist() == log.messages["length"].tolist() == [16]
