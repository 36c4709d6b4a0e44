"""Chats of YouTube as yt-dlp, chat-downloader, pytchat and the Data API write them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from spnb.analytics.sources.chat_logs.log import Gathering, clock, epoch_ms, moment

__all__ = ["data_api", "downloaded", "live_chat", "pytchat"]

Json = dict[str, Any]
SPOKEN = {
    "liveChatTextMessageRenderer",
    "liveChatPaidMessageRenderer",
    "liveChatPaidStickerRenderer",
    "liveChatMembershipItemRenderer",
    "liveChatSponsorshipsGiftPurchaseAnnouncementRenderer",
    "liveChatAutoModMessageRenderer",
}
"""Of yt-dlp's renderers those that somebody wrote. Tickers show a paid message again; placeholders, mode changes and
notices are nobody's."""
SPOKEN_EVENTS = {
    "textMessageEvent",
    "superChatEvent",
    "superStickerEvent",
    "newSponsorEvent",
    "memberMilestoneChatEvent",
    "membershipGiftingEvent",
    "fanFundingEvent",
}
UNSPOKEN = re.compile(
    r"ticker|engagement|placeholder|mode_change|ban_|delete|mark_|pinned|banner|tooltip|poll|system|gift_redemption|"
    r"room_state|user_state|clear_chat|successful_login|host_target"
)
DELETED = {"remove_chat_item", "mark_chat_item_as_deleted", "delete_message"}
BANNED = {
    "remove_chat_item_by_author",
    "remove_chat_items_by_author",
    "mark_chat_items_by_author_as_deleted",
    "ban_user",
}
TOLD = "not a message of somebody"


def live_chat(item: Json, into: Gathering) -> None:
    """A line of yt-dlp's `live_chat` (YouTube's own actions), of a replay or written while live."""
    replay = item.get("replayChatItemAction")
    actions = replay.get("actions", []) if isinstance(replay, Mapping) else [item]
    offset = (replay or item).get("videoOffsetTimeMsec")
    for action in actions:
        _action(action, None if offset is None else float(offset) / 1000, into)


def _action(action: Json, offset: float | None, into: Gathering) -> None:
    for name in ("markChatItemAsDeletedAction", "removeChatItemAction"):
        if name in action:
            into.delete(str(action[name].get("targetItemId")))
    for name in ("markChatItemsByAuthorAsDeletedAction", "removeChatItemByAuthorAction"):
        if name in action:
            into.silence(str(action[name].get("externalChannelId")))
    if "addLiveChatTickerItemAction" in action:
        into.skip("ticker of a paid message")
    added = action.get("addChatItemAction", {}).get("item", {})
    let_through = action.get("replaceChatItemAction", {}).get(
        "replacementItem", {}
    )  # what was held back until looked at
    for kind, found in (*added.items(), *let_through.items()):
        if kind in SPOKEN:
            _rendered(found, offset, into)
        else:
            into.skip(TOLD)


def _rendered(found: Json, offset: float | None, into: Gathering) -> None:
    header = found.get("header", {}).get("liveChatSponsorshipsHeaderRenderer", {})
    author = found.get("authorExternalChannelId") or _text(found.get("authorName")) or _text(header.get("authorName"))
    shown = (found.get("timestampText") or {}).get("simpleText", "")
    if offset is not None and shown.startswith("-"):
        offset = -clock(shown[1:])  # before the stream its own offset stands at 0
    at = epoch_ms(found.get("timestampUsec"))
    if not author or (at is None and offset is None):
        into.skip("message without author or time")
        return
    into.add(
        str(author),
        _text(found.get("message") or found.get("headerSubtext") or header.get("primaryText")),
        key=str(found.get("id") or ""),
        at=at and at[0],
        offset=offset,
    )


def _text(runs: Any) -> str:
    if isinstance(runs, str):
        return runs
    if not isinstance(runs, Mapping):
        return ""
    if "simpleText" in runs:
        return str(runs["simpleText"])
    return "".join(run["text"] if "text" in run else _emoji(run.get("emoji") or {}) for run in runs.get("runs", []))


def _emoji(told: Json) -> str:
    """An emoji is its own id; an emote of the channel has a name, and an id that nobody reads."""
    if told.get("isCustomEmoji"):
        return str(next(iter(told.get("shortcuts") or []), "□"))
    return str(told.get("emojiId") or "□")


def data_api(item: Json, into: Gathering) -> None:
    """An item of the Data API's `liveChatMessages.list`."""
    told = item["snippet"]
    kind = told.get("type", "textMessageEvent")
    if kind == "messageDeletedEvent":
        into.delete(str((told.get("messageDeletedDetails") or {}).get("deletedMessageId")))
    elif kind == "userBannedEvent":
        banned = (told.get("userBannedDetails") or {}).get("bannedUserDetails") or {}
        into.silence(str(banned.get("channelId")))
    elif kind not in SPOKEN_EVENTS:
        into.skip(TOLD)
        return
    author = told.get("authorChannelId") or (item.get("authorDetails") or {}).get("channelId")
    at = moment(told.get("publishedAt"))
    if kind in SPOKEN_EVENTS and author and at is not None:
        into.add(str(author), _written(told), key=str(item.get("id") or ""), at=at)
    elif kind in SPOKEN_EVENTS:
        into.skip("message without author or time")


def _written(told: Json) -> str:
    """What somebody wrote, without the service's own words about it: `$5.00 from Ann: …`."""
    for details, name in (
        ("textMessageDetails", "messageText"),
        ("superChatDetails", "userComment"),
        ("memberMilestoneChatDetails", "userComment"),
    ):
        if written := (told.get(details) or {}).get(name):
            return str(written)
    return str(told.get("displayMessage") or "")


def downloaded(item: Json, into: Gathering) -> None:
    """An item of chat-downloader, of YouTube or Twitch."""
    action, kind = item.get("action_type", ""), item.get("message_type")
    if action in DELETED or kind in DELETED:
        into.delete(str(item.get("target_message_id") or item.get("target_id")))
        return
    if action in BANNED or kind in BANNED:
        banned = item.get("author") or {}
        into.silence(
            str(item.get("author_id") or banned.get("id") or banned.get("target_id") or item.get("banned_user"))
        )
        return
    if UNSPOKEN.search(f"{action} {kind or ''}"):
        ticker = "ticker" in str(kind)
        into.skip("ticker of a paid message" if ticker else TOLD)
        return
    author = item.get("author") or {}
    if isinstance(author, str):
        author = {"name": author}
    user = item.get("author_id") or author.get("id") or author.get("name") or item.get("authorName")
    offset = item.get("time_in_seconds")
    at = epoch_ms(item.get("timestamp") or item.get("timestampUsec") or item.get("timestamp_usec"))
    if not user or (at is None and offset is None):
        into.skip("message without author or time")
        return
    into.add(
        str(user),
        _text(item.get("message")) or "",
        key=str(item.get("message_id") or item.get("id") or ""),
        at=at and at[0],
        unit=at[1] if at else "",
        offset=None if offset is None else float(offset),
        reply=bool(item.get("in_reply_to") or item.get("parent_message_id")),
    )


def pytchat(item: Json, into: Gathering) -> None:
    """An item of pytchat."""
    author = item["author"]
    user = author.get("channelId") or author.get("name")
    at = epoch_ms(item.get("timestamp"))
    shown = str(item.get("elapsedTime") or "")
    offset = None
    if re.fullmatch(r"-?[\d:,]+", shown):
        offset = -clock(shown[1:]) if shown.startswith("-") else clock(shown)
        if at is not None and offset >= 0:
            offset = None  # whole seconds, where the time stamp has their parts
    if not user or (at is None and offset is None):
        into.skip("message without author or time")
        return
    into.add(
        str(user),
        str(item.get("message") or ""),
        key=str(item.get("id") or ""),
        at=at and at[0],
        unit=at[1] if at else "",
        offset=offset,
    )
