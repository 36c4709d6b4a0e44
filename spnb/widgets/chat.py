"""`Chat`: the live chat of a room."""

from __future__ import annotations

from typing import Any

import traitlets

from spnb.live import LiveRoom
from spnb.widgets.base import STATIC
from spnb.widgets.chat_part import ChatPart

__all__ = ["Chat"]


class Chat(ChatPart):
    """What is said in a room: the last 100 messages, replies, reactions, a pinned announcement, and the tools of
    moderators (delete, pin, slow mode, mute, ban).

    Content is text: whatever users write, it is shown as they wrote it and never as markup.

    Args:
        room: a live room. Where its chat is not open yet the widget waits for it, and its host can open it.
    """

    _esm = STATIC / "chat.js"
    title = traitlets.Unicode("").tag(sync=True)
    plain = "the room's live chat; in code: room.chat.send('text'), for message in room.chat."

    def __init__(self, room: LiveRoom, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.title = room.title
        self._use_chat(room.asynchronous, room.asynchronous.user_id)
