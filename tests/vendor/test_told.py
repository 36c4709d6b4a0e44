"""What one client of the vendor's SDK does is told to the other one's observers, event by event."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Error

from tests.vendor.clients import SdkClient
from tests.vendor.test_chat import SEND, live_chat
from tests.vendor.test_rooms import NEW_ROOM
from tests.vendor.test_social import community

REACTION = "await sdk.ReactionRepository.{0}Reaction('{1}', a.id, 'like')"


async def told(listener: SdkClient, actor: SdkClient, steps: list[tuple[str, str, str]], **names: Any) -> None:
    """Each step, `(observer, what is done, condition on what is told)`, one after the other."""
    for observer, do, condition in steps:
        name = await listener.hear(f"sdk.{observer}(told)")
        await actor.run(do, **names)
        try:
            await listener.heard(name, condition, **names)
        except Error as error:
            raise AssertionError(f"{observer} was not told after: {do}") from error


async def test_posts_and_comments(host: SdkClient, viewer: SdkClient) -> None:
    place = await community(host, viewer)
    post = await host.run(
        "return (await sdk.PostRepository.createPost({ targetType: 'community', targetId: a.place,"
        " data: { text: 'One' } })).data.postId",
        place=place,
    )
    this = "e.postId === a.id"
    heard = "PostRepository.onPost"
    await told(
        viewer,
        host,
        [
            (f"{heard}Updated", "await sdk.PostRepository.editPost(a.id, { data: { text: 'Two' } })", this),
            (f"{heard}ReactionAdded", REACTION.format("add", "post"), f"{this} && e.reactions.like === 1"),
            (f"{heard}ReactionRemoved", REACTION.format("remove", "post"), f"{this} && !e.reactions.like"),
            (f"{heard}Flagged", "await sdk.PostRepository.flagPost(a.id)", f"{this} && e.flagCount === 1"),
            (f"{heard}Unflagged", "await sdk.PostRepository.unflagPost(a.id)", f"{this} && e.flagCount === 0"),
        ],
        id=post,
    )
    made = await viewer.hear("sdk.CommentRepository.onCommentCreated(told)")
    comment = await host.run(
        "return (await sdk.CommentRepository.createComment({ referenceType: 'post', referenceId: a.post,"
        " data: { text: 'Three' } })).data.commentId",
        post=post,
    )
    this = "e.commentId === a.id"
    await viewer.heard(made, this, id=comment)
    heard, do = "CommentRepository.onComment", "await sdk.CommentRepository."
    await told(
        viewer,
        host,
        [
            (
                f"{heard}Updated",
                f"{do}updateComment(a.id, {{ data: {{ text: 'Four' }} }})",
                f"{this} && e.data.text === 'Four'",
            ),
            (f"{heard}ReactionAdded", REACTION.format("add", "comment"), this),
            (f"{heard}ReactionRemoved", REACTION.format("remove", "comment"), this),
            (f"{heard}Flagged", f"{do}flagComment(a.id)", this),
            (f"{heard}Unflagged", f"{do}unflagComment(a.id)", this),
            (f"{heard}Deleted", f"{do}hardDeleteComment(a.id)", this),
        ],
        id=comment,
    )
    await told(
        viewer,
        host,
        [("PostRepository.onPostDeleted", "await sdk.PostRepository.hardDeletePost(a.id)", "e.postId === a.id")],
        id=post,
    )
    await told(
        viewer,
        host,
        [
            (
                "CommunityRepository.onCommunityUpdated",
                "await sdk.CommunityRepository.updateCommunity(a.id, { description: 'New' })",
                "e.communityId === a.id && e.description === 'New'",
            )
        ],
        id=place,
    )


async def test_channels_and_messages(host: SdkClient, viewer: SdkClient) -> None:
    channel = await live_chat(host, viewer)
    message = (await host.run(SEND, feed=channel["feed"], text="One"))["id"]
    heard, do, this = "MessageRepository.onMessage", "await sdk.MessageRepository.", "e.messageId === a.id"
    await told(
        viewer,
        host,
        [
            (
                f"{heard}Updated",
                f"{do}editMessage(a.id, {{ data: {{ text: 'Two' }} }})",
                f"{this} && e.data.text === 'Two'",
            ),
            (f"{heard}ReactionAdded", REACTION.format("add", "message"), this),
            (f"{heard}ReactionRemoved", REACTION.format("remove", "message"), this),
            (f"{heard}Flagged", f"{do}flagMessage(a.id)", this),
            (f"{heard}Unflagged", f"{do}unflagMessage(a.id)", this),
            (f"{heard}Deleted", f"{do}softDeleteMessage(a.id)", this),
        ],
        id=message,
    )
    heard, moderate = "ChannelRepository.onChannel", "await sdk.ChannelRepository.Moderation."
    membership = "await sdk.ChannelRepository.Membership."
    this = "e.channelId === a.id"
    await told(
        host,
        viewer,
        [
            (f"{heard}Left", "await sdk.ChannelRepository.leaveChannel(a.id)", this),
            (f"{heard}Joined", "await sdk.ChannelRepository.joinChannel(a.id)", this),
        ],
        id=channel["id"],
    )
    await told(
        viewer,
        host,
        [
            (f"{heard}SetMuted", "await sdk.ChannelRepository.muteChannel(a.id, 60)", this),
            (f"{heard}SetMuted", "await sdk.ChannelRepository.unmuteChannel(a.id)", this),
            (f"{heard}MemberBanned", f"{moderate}banMembers(a.id, [a.who])", this),
            (f"{heard}MemberUnbanned", f"{moderate}unbanMembers(a.id, [a.who])", this),
            (f"{heard}MemberAdded", f"{membership}addMembers(a.id, [a.who])", this),
            (f"{heard}MemberRemoved", f"{membership}removeMembers(a.id, [a.who])", this),
        ],
        id=channel["id"],
        who=viewer.user_id,
    )


async def test_feeds_of_a_channel(host: SdkClient, viewer: SdkClient) -> None:
    channel = await live_chat(host, viewer)
    feed = await host.run(
        "return (await sdk.SubChannelRepository.createSubChannel({ channelId: a.id, displayName: 'Aside' }))"
        ".data.subChannelId",
        id=channel["id"],
    )
    this = "e.subChannelId === a.feed"
    await told(
        viewer,
        host,
        [
            (
                "SubChannelRepository.onSubChannelUpdated",
                "await sdk.SubChannelRepository.updateSubChannel(a.feed, { displayName: 'Apart' })",
                f"{this} && e.displayName === 'Apart'",
            ),
            (
                "SubChannelRepository.onSubChannelDeleted",
                "await sdk.SubChannelRepository.softDeleteSubChannel(a.feed)",
                this,
            ),
        ],
        feed=feed,
    )


async def test_products_and_files(host: SdkClient, viewer: SdkClient) -> None:
    place = await community(host, viewer)
    room = await host.run(NEW_ROOM)
    found = await host.follow("sdk.ProductRepository.searchProducts({ keyword: 'lamp' }, told)")
    lamp = await host.until(found, "!s.loading && s.data.length === 1 && s.data[0].productId")
    shown = await viewer.follow("sdk.ProductRepository.getProduct(a.id, told)", id=lamp)
    await viewer.until(shown, "!s.loading && s.data.productId === a.id", id=lamp)
    post = await host.run(
        "return (await sdk.PostRepository.createRoomPost({ targetType: 'community', targetId: a.place,"
        " data: { roomId: a.room } })).data.childrenPosts[0].postId",
        place=place,
        room=room["roomId"],
    )
    seen = await viewer.follow("sdk.PostRepository.getPost(a.id, told)", id=post)
    await viewer.until(seen, "!s.loading && s.data.productTags.length === 0")
    names = {"post": post, "lamp": lamp}
    for do, then in (
        ("updateProductTags(a.post, [{ productId: a.lamp }], 'add')", "s.data.productTags.length === 1"),
        ("pinProduct(a.post, a.lamp)", "s.data.pinnedProductId === a.lamp"),
        ("unpinProduct(a.post, a.lamp)", "!s.data.pinnedProductId"),
    ):
        await host.run(f"await sdk.PostRepository.{do}", **names)
        await viewer.until(seen, then, **names)

    file = await host.run(
        "const form = new FormData(); form.append('files', new Blob(['words']), 'words.txt');"
        "return (await sdk.FileRepository.uploadFile(form)).data[0].fileId"
    )
    assert (await viewer.http("GET", f"/api/v3/files/{file}"))["fileId"] == file
    await host.run("await sdk.FileRepository.deleteFile(a.id)", id=file)
    with pytest.raises(AssertionError, match="404"):
        await viewer.http("GET", f"/api/v3/files/{file}")
