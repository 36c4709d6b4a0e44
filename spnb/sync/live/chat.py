"""The blocking twins of `spnb.live.chat`.

Written by `uv run --group dev python -m tests.blocking`: change that module instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spnb._faces import Face, Watch
from spnb._loop import run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    import pandas as pd

    from spnb.live.chat import Announcement, AsyncChat
    from spnb.live.message_log import ChatChange
    from spnb.live.on_screen import Placard
    from spnb.models import Channel, ChannelMember, Message


__all__ = ["Chat"]


class Chat(Face):
    """Messages of one channel. `for message in chat` gives all there are and then each new one.

    The blocking twin of `AsyncChat`.
    """

    _twin: AsyncChat

    @property
    def host(self) -> str | None:
        """Public id of the room's host."""
        return self._twin.host

    @property
    def read_error(self) -> str | None:
        """Why the chat, which is followed, could not be read last: messages may be missing for now. None where it
        could.
        """
        return self._twin.read_error

    @property
    def channel(self) -> Channel:
        """The channel as it is best known."""
        return self._twin.channel

    @property
    def user_id(self) -> str:
        """The public id of the user who speaks here."""
        return self._twin.user_id

    def refresh(self) -> Channel:
        """Read the channel again now."""
        return run(self._twin.refresh())

    def send(self, text: str, *, reply_to: Message | str | None = None, mentions: Sequence[str] = ()) -> Message:
        """Send a text. In slow mode it waits for its turn, where that comes within 45 s.

        social.plus: `MessageRepository.createMessage`.

        Args:
            text: 1 to 20 000 characters.
            reply_to: the message it answers, or its id.
            mentions: public ids of users, at most 50; they must exist.

        Raises:
            Forbidden: you are muted or banned, or the chat is muted.
            RateLimited: slow mode, and your turn comes later.
        """
        return run(self._twin.send(text, reply_to=reply_to, mentions=mentions))

    def send_image(
        self, image: str | Path | bytes, *, caption: str = "", reply_to: Message | str | None = None
    ) -> Message:
        """Send a picture: a file's path, its bytes, or the id of one that was uploaded.

        social.plus: `MessageRepository.createMessage`.
        """
        return run(self._twin.send_image(image, caption=caption, reply_to=reply_to))

    def send_custom(self, data: Mapping[str, Any], *, reply_to: Message | str | None = None) -> Message:
        """Send a message of a kind of your own, of about 10 KB at most, which apps of yours understand.

        social.plus: `MessageRepository.createMessage`.
        """
        return run(self._twin.send_custom(data, reply_to=reply_to))

    def edit(self, message: Message | str, text: str) -> Message:
        """Change the text of your message.

        social.plus: `MessageRepository.editMessage`, `MessageRepository.updateMessage`.
        """
        return run(self._twin.edit(message, text))

    def delete(self, message: Message | str) -> None:
        """Delete your message, or as a moderator anybody's: from the screen, the replay and above the chat too.

        social.plus: `MessageRepository.softDeleteMessage`, `MessageRepository.deleteMessage`.
        """
        run(self._twin.delete(message))

    def flag(self, message: Message | str, *, reason: str | None = None) -> None:
        """Report a message to the moderators. social.plus: `MessageRepository.flagMessage`."""
        run(self._twin.flag(message, reason=reason))

    def unflag(self, message: Message | str) -> None:
        """Take your report back. social.plus: `MessageRepository.unflagMessage`."""
        run(self._twin.unflag(message))

    def react(self, message: Message | str, name: str) -> None:
        """React to a message, e.g. with `"like"`; the same reaction of a user counts once.

        social.plus: `ReactionRepository.addReaction`.
        """
        run(self._twin.react(message, name))

    def unreact(self, message: Message | str, name: str) -> None:
        """Take your reaction back. social.plus: `ReactionRepository.removeReaction`."""
        run(self._twin.unreact(message, name))

    def history(self, *, page_size: int = 100, reply_to: Message | str | None = None) -> Watch[Message]:
        """All messages from the first on, page after page.

        Args:
            page_size: messages per request, 1 to 100.
            reply_to: only answers to this message.
        """
        return Watch(self._twin.history(page_size=page_size, reply_to=reply_to))

    def pages(self, *, page_size: int = 100, reply_to: Message | str | None = None) -> Watch[list[Message]]:
        """The same, a page at a time: one step of the iteration is one request."""
        return Watch(self._twin.pages(page_size=page_size, reply_to=reply_to))

    def recent(self, most: int = 100) -> list[Message]:
        """The newest messages, oldest of them first."""
        return run(self._twin.recent(most))

    @property
    def df(self) -> pd.DataFrame:
        """All messages as a table, oldest first: `chat.df`. Times are UTC with milliseconds.

        Pages become columns as they come, so memory holds the table and one page.
        """
        return run(self._twin.df)

    def __iter__(self) -> Watch[Message]:
        return Watch(aiter(self._twin))

    def __aiter__(self) -> AsyncIterator[Message]:
        return aiter(self._twin)

    def watch(self, *, last: int | None = None) -> Watch[Message]:
        """All messages so far and then each new one, in their order, none twice. Ends when the channel is closed.

        social.plus: `MessageRepository.getMessages`, `MessageRepository.onMessageCreatedMqtt`,
        `MessageRepository.onMessageCreatedLocal`, `MessageRepository.onMessageFetched`.

        Args:
            last: begin with this many of the newest instead of with the first; 0 gives new ones only.
        """
        return Watch(self._twin.watch(last=last))

    def changes(self, *, last: int | None = None) -> Watch[ChatChange]:
        """All that happens: messages added, changed (edited, reacted to, flagged) and deleted, and the channel changed.

        Begins with the messages so far, as added. Who keeps a list by it has what the service has, however events are
        lost, doubled or reordered.

        social.plus: `MessageRepository.onMessageUpdated`, `MessageRepository.onMessageDeleted`,
        `MessageRepository.onMessageReactionAdded`, `MessageRepository.onMessageReactionRemoved`,
        `ChannelRepository.onChannelUpdated`, `ChannelRepository.onChannelSetMuted`,
        `ChannelRepository.onChannelDeleted`.

        Args:
            last: begin with this many of the newest messages instead of with the first.
        """
        return Watch(self._twin.changes(last=last))

    def batches(self, *, last: int | None = None) -> Watch[list[ChatChange]]:
        """The same, with all that is known at a time in one list: cheaper where much happens."""
        return Watch(self._twin.batches(last=last))

    @property
    def announcement(self) -> Announcement | None:
        """What is pinned above the chat, unless it was deleted, as far as known here: `refresh()` reads it, following
        keeps it up to date.
        """
        return self._twin.announcement

    def pin(self, announcement: Message | str) -> Announcement:
        """Pin an announcement above the chat, in place of an earlier one; moderators only.

        Args:
            announcement: a message, or a text of its own; of a long one the first 1000 characters.
        """
        return run(self._twin.pin(announcement))

    def unpin(self) -> None:
        """Take the announcement down; moderators only."""
        run(self._twin.unpin())

    @property
    def on_screen(self) -> Placard | None:
        """What stands over the picture now, as far as known here."""
        return self._twin.on_screen

    @property
    def placards(self) -> list[Placard]:
        """What stood over the picture, oldest first, the newest 50, without deleted messages: `refresh()` reads it,
        following keeps it fresh.
        """
        return self._twin.placards

    def show(self, message: Message | str) -> Placard:
        """Put a message over the picture of all who watch with spnb, in place of an earlier one; moderators only. In
        the replay it stands where it stood. Recorded files themselves are left as they are.

        Args:
            message: a text message, or a text of your own; of a long one the first 280 characters.

        Raises:
            InvalidInput: there is no text in it, or it was deleted.
        """
        return run(self._twin.show(message))

    def hide(self) -> None:
        """Take off what stands over the picture; moderators only."""
        run(self._twin.hide())

    def slow_mode(self, seconds: float | None, *, messages: int = 1) -> None:
        """Let everybody but moderators send only so often; moderators only.

        social.plus: `ChannelRepository.updateChannel`.

        Args:
            seconds: the length of a turn; None or 0 ends slow mode.
            messages: how many in one turn.
        """
        run(self._twin.slow_mode(seconds, messages=messages))

    def mute(self, *user_ids: str, seconds: float | None = None) -> None:
        """Mute these users, or everybody but moderators where none is named; moderators only.

        social.plus: `ChannelRepository.muteChannel`.

        Args:
            user_ids: public ids, at most 100.
            seconds: how long; for ever without.
        """
        run(self._twin.mute(*user_ids, seconds=seconds))

    def unmute(self, *user_ids: str) -> None:
        """Let these users, or everybody where none is named, write again; moderators only.

        social.plus: `ChannelRepository.unmuteChannel`.
        """
        run(self._twin.unmute(*user_ids))

    def ban(self, *user_ids: str) -> None:
        """Ban users from the chat; moderators only. social.plus: `ChannelRepository.Moderation.banMembers`."""
        run(self._twin.ban(*user_ids))

    def unban(self, *user_ids: str) -> None:
        """Let banned users back in; moderators only. social.plus: `ChannelRepository.Moderation.unbanMembers`."""
        run(self._twin.unban(*user_ids))

    def add_moderator(self, *user_ids: str) -> None:
        """Have users moderate here too; they become members first. Moderators only, the room's host is one.

        Args:
            user_ids: public ids.

        Raises:
            Forbidden: you do not moderate here; says who may.
        """
        run(self._twin.add_moderator(*user_ids))

    def remove_moderator(self, *user_ids: str) -> None:
        """Have users moderate here no longer; moderators only."""
        run(self._twin.remove_moderator(*user_ids))

    def members(self) -> list[ChannelMember]:
        """Who belongs to the chat, oldest member first."""
        return run(self._twin.members())

    def moderators(self) -> list[str]:
        """Public ids of those who moderate here."""
        return run(self._twin.moderators())

    def muted(self) -> list[ChannelMember]:
        """Who is muted now."""
        return run(self._twin.muted())

    def banned(self) -> list[ChannelMember]:
        """Who is banned."""
        return run(self._twin.banned())

    @property
    def asynchronous(self) -> AsyncChat:
        """The async twin: the same object, to be awaited."""
        return self._twin
