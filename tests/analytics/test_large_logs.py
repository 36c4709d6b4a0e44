"""A large chat log goes to files as it is read, and is the same dataset."""

from __future__ import annotations

import gc
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from spnb import analytics
from spnb.analytics.sources.chat_logs.opening import json_values


def comment(number: int) -> dict[str, Any]:
    words = ("hello", 'so he said: },{"_id":"x" and left', "half \ud83d of it", "😂 KEKW")[number % 4]
    return {
        "_id": f"m{number}",
        "created_at": f"2026-03-01T12:{number // 60:02}:{number % 60:02}.{number % 1000:03}Z",
        "content_offset_seconds": float(number) - 3,
        "commenter": {"_id": str(number % 7), "name": f"user{number % 7}"} if number % 11 else None,
        "message": {"body": words},
    }


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Comments with doubles far apart, as TwitchDownloader writes them."""
    comments = [comment(number) for number in range(400)]
    comments += [comments[3], {**comments[5], "message": {"body": "longer than it was before"}}]
    file = tmp_path / "show.json"
    video = {"title": "Show", "created_at": "2026-03-01T12:00:00Z", "length": 500}
    file.write_text(json.dumps({"video": video, "comments": comments}))
    return file


@pytest.mark.parametrize("text", [False, True])
def test_it_is_the_same_dataset(log: Path, text: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    small = analytics.load(log, text=text)
    monkeypatch.setattr("spnb.analytics.sources.chat_logs.log.PIECE_ROWS", 30)
    large = analytics.load(log, text=text)
    assert type(large.store) is not type(small.store)
    assert large.rows("messages") == small.rows("messages") == 400
    ordered = [one.messages.sort_values("message_id", ignore_index=True) for one in (small, large)]
    pd.testing.assert_frame_equal(*ordered)
    pd.testing.assert_frame_equal(small.rooms, large.rooms)
    pd.testing.assert_frame_equal(small.kpis, large.kpis)
    assert (small.as_of, small.known) == (large.as_of, large.known)
    assert sorted(map(str, small.quality)) == sorted(map(str, large.quality))
    room = large.rooms["room_id"].iloc[0]
    pd.testing.assert_frame_equal(small.report(room).moments, large.report(room).moments)


def test_what_was_deleted_later_is_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def said(number: int) -> dict[str, Any]:
        at = str(1_772_366_400_000_000 + number * 1_000_000)
        user = {"simpleText": f"u{number % 3}"}
        text = {"id": f"m{number}", "timestampUsec": at, "authorExternalChannelId": f"u{number % 3}"}
        return {"addChatItemAction": {"item": {"liveChatTextMessageRenderer": {**text, "authorName": user}}}}

    lines = [*map(said, range(20)), {"markChatItemAsDeletedAction": {"targetItemId": "m1"}}]
    lines += [{"markChatItemsByAuthorAsDeletedAction": {"externalChannelId": "u2"}}, *map(said, range(20, 30))]
    file = tmp_path / "live.json"
    file.write_text("\n".join(map(json.dumps, lines)))
    monkeypatch.setattr("spnb.analytics.sources.chat_logs.log.PIECE_ROWS", 4)
    made = analytics.load(file)
    gone = set(made.messages.loc[made.messages["deleted"], "message_id"])
    assert gone == {"m1", *(f"m{number}" for number in range(20) if number % 3 == 2)}


def test_its_files_go_with_it(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spnb.analytics.sources.chat_logs.log.PIECE_ROWS", 30)
    made = analytics.load(log)
    folder: Path = made.store.path  # type: ignore[attr-defined]
    assert len(made.messages) == 400
    del made
    gc.collect()
    assert not folder.exists()


@pytest.mark.parametrize("indent", [None, 2])
def test_elements_are_read_as_they_stand(tmp_path: Path, indent: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is written in them, in whichever pieces the file comes, also where it is torn off."""
    comments = [{**comment(number), "tags": [{"_id": 1}, {"_id": number}]} for number in range(60)]
    whole = json.dumps({"comments": comments, "video": {"title": "t"}}, indent=indent)
    file = tmp_path / "log.json"
    torn: list[int] = []

    def note() -> None:
        torn.append(1)

    for piece in (64, 300, 1 << 16):
        monkeypatch.setattr("spnb.analytics.sources.chat_logs.opening.BATCH", piece)
        monkeypatch.setattr("spnb.analytics.sources.chat_logs.opening.PIECE", 2 * piece)
        file.write_text(whole)
        torn.clear()
        found = list(json_values(file, note))
        assert found == [*(("comments", one) for one in comments), ("video", {"title": "t"})]
        assert not torn
        file.write_text(whole[: len(whole) * 2 // 3])
        found = list(json_values(file, note))
        assert [value for _, value in found] == comments[: len(found)]
        assert len(found) > 30
        assert torn
