"""A second device of a user: it comes by the first one's session, follows single things, and is logged out alone."""

from __future__ import annotations

import httpx
import pytest
from playwright.async_api import Browser

from tests.conftest import RunningSandbox
from tests.ingest.test_whip import sending
from tests.vendor.clients import SdkClient
from tests.vendor.test_chat import SEND, live_chat
from tests.vendor.test_reads import POST
from tests.vendor.test_rooms import NEW_ROOM, WATCH
from tests.vendor.test_social import community
from tests.vendor.test_told import told

FOLLOW_EACH = """
const { data: [post] } = await sdk.PostRepository.getPostByIds([a.post]);
const { data: [comment] } = await sdk.CommentRepository.getCommentByIds([a.comment]);
const { data: [feed] } = await sdk.SubChannelRepository.getSubChannelByIds([a.feed]);
const message = await new Promise((got) =>
    sdk.MessageRepository.getMessage(a.message, (s) => !s.loading && got(s.data)));
const topics = [sdk.getNetworkTopic(), sdk.getPostTopic(post), sdk.getCommentTopic(comment),
    sdk.getMessageTopic(message), ...(a.whole ? [sdk.getSubChannelTopic(feed)] : [])];
for (const topic of topics) await new Promise((granted, failed) =>
    sdk.subscribeTopic(topic, (error) => (error ? failed(error) : granted())));
"""


async def test_a_second_device_follows_single_things(
    host: SdkClient, viewer: SdkClient, browser: Browser, site: str, sandbox: RunningSandbox
) -> None:
    place = await community(host, viewer)
    channel = await live_chat(host, viewer)
    names = {
        "post": await host.run(POST, place=place, text="One"),
        "message": (await host.run(SEND, feed=channel["feed"], text="One"))["id"],
        "feed": channel["feed"],
    }
    names["comment"] = await host.run(
        "return (await sdk.CommentRepository.createComment({ referenceType: 'post', referenceId: a.post,"
        " data: { text: 'One' } })).data.commentId",
        **names,
    )
    device = await SdkClient.open(browser, site, sandbox, viewer.user_id)
    await device.start(access_token=await viewer.run("return sdk.Client.getActiveClient().token.accessToken"))
    assert (await device.run("return (await sdk.Client.getActiveUser())._id")) == await viewer.run(
        "return (await sdk.Client.getActiveUser())._id"
    )
    line = await device.hear("sdk.Client.onRTEConnectionStateChange(told)")
    await device.heard(line, "e === 'connected'")
    states = await device.hear("sdk.Client.onSessionStateChange(told)")
    asked = await device.hear("sdk.Client.onNetworkActivities((request) => told(request.url))")
    await device.run(FOLLOW_EACH, whole=False, **names)
    await device.heard(asked, "e.includes(a.message)", **names)
    two = "{ data: { text: 'Two' } }"
    await told(
        device,
        host,
        [
            (
                "PostRepository.onPostUpdated",
                f"await sdk.PostRepository.editPost(a.post, {two})",
                "e.postId === a.post && e.data.text === 'Two'",
            ),
            (
                "CommentRepository.onCommentUpdated",
                f"await sdk.CommentRepository.updateComment(a.comment, {two})",
                "e.commentId === a.comment && e.data.text === 'Two'",
            ),
            (
                "MessageRepository.onMessageUpdated",
                f"await sdk.MessageRepository.updateMessage(a.message, {two})",
                "e.messageId === a.message && e.data.text === 'Two'",
            ),
        ],
        **names,
    )
    mine = "e.messageId === a.message && e.myReactions."
    await told(
        device,
        viewer,
        [
            (
                f"MessageRepository.onMessageReaction{what}",
                f"await sdk.ReactionRepository.{do}Reaction('message', a.message, 'like')",
                f"{mine}{is_so}",
            )
            for what, do, is_so in (("Added", "add", "includes('like')"), ("Removed", "remove", "length === 0"))
        ],
        **names,
    )
    await device.run(FOLLOW_EACH, whole=True, **names)
    await told(
        device,
        host,
        [
            ("MessageRepository.onMessageCreatedMqtt", SEND, "e.data.text === a.text"),
            (
                "MessageRepository.onMessageDeleted",
                "await sdk.MessageRepository.deleteMessage(a.message)",
                "e.messageId === a.message && e.isDeleted",
            ),
            (
                "CommentRepository.onCommentDeleted",
                "await sdk.CommentRepository.deleteComment(a.comment)",
                "e.commentId === a.comment",
            ),
            ("PostRepository.onPostDeleted", "await sdk.PostRepository.deletePost(a.post)", "e.postId === a.post"),
        ],
        text="In the feed",
        **names,
    )
    await device.run("await sdk.Client.logout()")
    await device.heard(states, "e === 'notLoggedIn'")
    await device.page.context.close()
    assert (await viewer.http("GET", f"/api/v3/users/{viewer.user_id}"))["users"], "the first device stays"


@pytest.mark.media
async def test_an_encoder_comes_onto_the_stage_and_is_waited_for(
    host: SdkClient, viewer: SdkClient, sandbox: RunningSandbox
) -> None:
    room = await host.run(NEW_ROOM, more={"type": "directStreaming"})
    await viewer.run(WATCH, **room)
    stage = [
        await viewer.hear(
            f"sdk.RoomRepository.onRoomParticipantStage{step}"
            "(({ room, actorInternalId }) => told(room.roomId, actorInternalId))"
        )
        for step in ("Joined", "Left")
    ]
    waiting = await viewer.hear("sdk.RoomRepository.onRoomWaitingReconnect(told)")
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        address = f"{sandbox.url}/sandbox/rooms/{room['roomId']}/ingest"
        told = (await http.post(address, headers={"X-API-Key": sandbox.api_key})).json()
    given = told.get("data", told)
    async with sending(given["whipUrl"], given["streamKey"]) as answer:
        assert answer.status_code == 201
        await viewer.heard(stage[0], "e === a.roomId && f", **room)
    await viewer.heard(waiting, "e.roomId === a.roomId", **room)
    await viewer.heard(stage[1], "e === a.roomId && f", **room)
    await host.run("await sdk.RoomRepository.stopRoom(a.roomId)", **room)


async def test_feeds_are_deleted_for_good(host: SdkClient, viewer: SdkClient) -> None:
    channel = await live_chat(host, viewer)
    for call in ("deleteSubChannel", "hardDeleteSubChannel"):
        feed = await host.run(
            "return (await sdk.SubChannelRepository.createSubChannel({ channelId: a.id, displayName: 'Aside' }))"
            ".data.subChannelId",
            id=channel["id"],
        )
        await told(
            viewer,
            host,
            [
                (
                    "SubChannelRepository.onSubChannelDeleted",
                    f"await sdk.SubChannelRepository.{call}(a.feed)",
                    "e.subChannelId === a.feed",
                )
            ],
            feed=feed,
        )
