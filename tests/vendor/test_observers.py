"""Further observers of the vendor's SDK: each is told what the other client did."""

from __future__ import annotations

import hashlib
import hmac
import os
import sqlite3
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.conftest import RunningSandbox
from tests.vendor.clients import SdkClient, SdkError
from tests.vendor.test_chat import SEND, live_chat
from tests.vendor.test_reads import POST, shown
from tests.vendor.test_sessions import secured
from tests.vendor.test_social import community
from tests.vendor.test_told import REACTION, told

__all__ = ["secured"]

FOLLOW_USER = """
const { data } = await sdk.UserRepository.getUserByIds([a.who]);
await new Promise((granted, failed) => sdk.subscribeTopic(sdk.getUserTopic(data[0]),
    (error) => (error ? failed(error) : granted())));
"""


async def test_members_of_a_community(host: SdkClient, viewer: SdkClient) -> None:
    place = await community(host, viewer)
    on, moderate, members = (f"{each}." for each in ("CommunityRepository.Membership", "Moderation", "Membership"))
    do = "await sdk.CommunityRepository."
    this, names = "e.communityId === a.id", {"id": place, "who": viewer.user_id}
    listed = f"{this} && f.some((m) => m.userId === a.who)"
    await told(
        viewer,
        host,
        [
            (f"{on}onCommunityUserRoleAdded", f"{do}{moderate}addRoles(a.id, ['community-moderator'], [a.who])", this),
            (
                f"{on}onCommunityUserRoleRemoved",
                f"{do}{moderate}removeRoles(a.id, ['community-moderator'], [a.who])",
                this,
            ),
            (f"{on}onCommunityUserRemoved", f"{do}{members}removeMembers(a.id, [a.who])", this),
            (f"{on}onCommunityUserAdded", f"{do}{members}addMembers(a.id, [a.who])", listed),
            (f"{on}onCommunityUserBanned", f"{do}{moderate}banMembers(a.id, [a.who])", listed),
            (f"{on}onCommunityUserUnbanned", f"{do}{moderate}unbanMembers(a.id, [a.who])", this),
        ],
        **names,
    )
    await told(
        host,
        viewer,
        [
            (f"{on}onCommunityJoined", f"{do}joinCommunity(a.id)", listed),
            (f"{on}onCommunityLeft", f"{do}leaveCommunity(a.id)", this),
        ],
        **names,
    )


async def test_people_and_who_follows_them(
    host: SdkClient, viewer: SdkClient, browser: Browser, site: str, sandbox: RunningSandbox
) -> None:
    names = {"who": viewer.user_id, "host": host.user_id}
    # Of the user's own changes another device of the user hears; nobody follows the topic of somebody else.
    phone = await SdkClient.open(browser, site, sandbox, host.user_id)
    await phone.start()
    await phone.run(FOLLOW_USER, who=host.user_id)
    await told(
        phone,
        host,
        [
            (
                "UserRepository.onUserUpdated",
                "await sdk.UserRepository.updateUser(a.host, { description: 'New here' })",
                "e.userId === a.host && e.description === 'New here'",
            )
        ],
        **names,
    )
    await phone.page.context.close()
    on, do = "UserRepository.Relationship.", "await sdk.UserRepository.Relationship."
    for client, topic in ((viewer, "getMyFollowersTopic"), (host, "getMyFollowingsTopic")):
        await client.run(
            "await new Promise((granted, failed) => sdk.subscribeTopic(sdk[a.topic](),"
            " (error) => (error ? failed(error) : granted())))",
            topic=topic,
        )
    this = "e.from === a.host && e.to === a.who"
    await told(
        viewer,
        host,
        [
            (f"{on}onUserFollowed", f"{do}follow(a.who)", this),
            (f"{on}onUserUnfollowed", f"{do}unfollow(a.who)", this),
        ],
        **names,
    )
    await host.run(f"{do}follow(a.who)", **names)
    follows = "followed[a.mine].snapshot"
    mine = await viewer.follow(f"sdk.{on}getMyFollowInfo(told)")
    await viewer.until(mine, "!s.loading && s.data.followerCount === 1")
    await shown(
        host,
        [(f"{on}getFollowings({{ userId: a.host }}, told)", "!s.loading && s.data.find((f) => f.to === a.who)")],
        **names,
    )
    # Turning away a follower, which the SDK does by its call for declining.
    await told(host, viewer, [(f"{on}onFollowerDeleted", f"{do}declineMyFollower(a.host)", "e.to === a.who")], **names)
    await viewer.until(mine, "s.data.followerCount === 0")
    assert await viewer.run(f"return {follows}.data.followingCount", mine=mine) == 0
    # Last: at each event it reads anew, and what it read goes into the SDK's cache as late as it comes.
    counted = "e.userId === a.who && e.followerCount === 1"
    await told(viewer, host, [(f"{on}onFollowInfoUpdated", f"{do}follow(a.who)", counted)], **names)
    await host.run(f"{do}unfollow(a.who)", **names)


async def test_reactions_of_one_thing(host: SdkClient, viewer: SdkClient) -> None:
    place = await community(host, viewer)
    post = await host.run(POST, place=place, text="React")
    comment = await host.run(
        "return (await sdk.CommentRepository.createComment({ referenceType: 'post', referenceId: a.post,"
        " data: { text: 'Or here' } })).data.commentId",
        post=post,
    )
    message = (await host.run(SEND, feed=(await live_chat(host, viewer))["feed"], text="Or to this"))["id"]
    for kind, thing in (("post", post), ("comment", comment), ("message", message)):
        names = {"id": thing, "who": viewer.user_id}
        for event, call in (("Added", "add"), ("Removed", "remove")):
            heard = [
                await host.hear(f"sdk.ReactionRepository.on{what}{event}('{kind}', '{thing}', told)")
                for what in ("Reactor", "Reaction")
            ]
            await viewer.run(REACTION.format(call, kind), **names)
            await host.heard(heard[0], "e.userId === a.who && e.reactionName === 'like'", **names)
            if kind != "message":  # of which the SDK tells its reactor alone
                await host.heard(heard[1])


async def test_flags_by_the_calls_that_take_a_kind(host: SdkClient, viewer: SdkClient) -> None:
    place = await community(host, viewer)
    post = await host.run(POST, place=place, text="Report me")
    for kind, thing in (("post", post), ("user", host.user_id)):
        flagged = f"return await sdk.isReportedByMe('{kind}', a.id)"
        assert await viewer.run(flagged, id=thing) is False
        await viewer.run(f"await sdk.createReport('{kind}', a.id)", id=thing)
        assert await viewer.run(flagged, id=thing) is True
        await viewer.run(f"await sdk.deleteReport('{kind}', a.id)", id=thing)
        assert await viewer.run(flagged, id=thing) is False


async def test_things_made_declined_and_answered(host: SdkClient, viewer: SdkClient) -> None:
    place = await community(host, viewer, postSetting="ADMIN_REVIEW_POST_REQUIRED")
    names = {"place": place, "who": viewer.user_id}
    on = "PostRepository.onPost"
    await told(viewer, host, [(f"{on}Created", POST, "e.data.text === a.text")], text="By the host", **names)
    waiting = await viewer.run(POST, text="By the viewer", **names)
    decline = "await sdk.PostRepository.declinePost(a.id)"
    await told(viewer, host, [(f"{on}Declined", decline, "e.postId === a.id")], id=waiting)

    event = await host.run(
        """
        const { data } = await sdk.EventRepository.createEvent({ title: "Concert", type: "virtual",
            startTime: new Date(Date.now() + 86400000).toISOString(), originType: "community", originId: a.place });
        return data.eventId;
        """,
        place=place,
    )
    of_event = "await new Promise((got) => sdk.EventRepository.getEvent(a.id, (s) => !s.loading && got(s.data)))"
    # With its cache the SDK keeps a response by who gave it and looks it up by its event, so its observers fail in it.
    await host.run("sdk.disableCache()")
    answered = "e.eventId === a.id && e.userId === a.who && e.status === "
    await told(
        host,
        viewer,
        [
            ("EventRepository.onRSVPCreated", f"await ({of_event}).createRSVP('going')", f"{answered}'going'"),
            ("EventRepository.onRSVPUpdated", f"await ({of_event}).updateRSVP('not_going')", f"{answered}'not_going'"),
        ],
        id=event,
        **names,
    )
    await host.run("sdk.enableCache()")
    await shown(
        host,
        [("EventRepository.getRSVPs({ eventId: a.id }, told)", "!s.loading && s.data[0].status === 'not_going'")],
        id=event,
    )


async def test_a_channel_is_made_and_its_moderators(host: SdkClient, viewer: SdkClient) -> None:
    made = await viewer.hear("sdk.ChannelRepository.onChannelCreated(told)")
    channel = await host.run(
        "return (await sdk.ChannelRepository.createChannel({ type: 'community', displayName: 'New',"
        " userIds: [a.who] })).data.channelId",
        who=viewer.user_id,
    )
    await viewer.heard(made, "e.channelId === a.id", id=channel)


async def test_visitors_of_a_network_in_secure_mode(browser: Browser, site: str, secured: RunningSandbox) -> None:
    visitor = await SdkClient.open(browser, site, secured, f"nobody-{os.urandom(3).hex()}")
    with pytest.raises(SdkError) as refused:
        await visitor.start(visitor=True)
    assert refused.value.code == 400100
    device = await visitor.run(
        "return localStorage.getItem(Object.keys(localStorage).find((k) => /#deviceId$/.test(k)))"
    )
    with sqlite3.connect(Path(secured.data_dir) / "sandbox.sqlite") as db:
        secret = db.execute("SELECT value FROM facts WHERE name = 'visitor-secret'").fetchone()[0]
    for ends, welcome in (("2020-01-01T00:00:00.000Z", False), ("2090-01-01T00:00:00.000Z", True)):
        signed = f"deviceId={device}&authSignatureExpiresAt={ends}".encode()
        signature = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
        login = visitor.start(visitor=True, authSignature=signature, authSignatureExpiresAt=ends)
        if welcome:
            await login
        else:
            with pytest.raises(SdkError) as refused:
                await login
            assert refused.value.code == 400100
    assert await visitor.run("return sdk.Client.getCurrentUserType()") == "visitor"
    await visitor.page.context.close()
