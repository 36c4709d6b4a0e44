"""What one client of the vendor's SDK does is told to the other one's observers, event by event."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Error

from tests.vendor.clients import SdkClient
from tests.vendor.test_chat import live_chat
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
