"""What the vendor's SDK reads beside its stories: one thing by its id, lists of ids, feeds, pins, settings."""

from __future__ import annotations

import os
from typing import Any

import httpx
from playwright.async_api import Error

from tests.vendor.clients import SdkClient
from tests.vendor.test_chat import SEND, live_chat
from tests.vendor.test_social import community

POST = """
return (await sdk.PostRepository.createPost({ targetType: "community", targetId: a.place,
    data: { text: a.text } })).data.postId;
"""


SYNCED = "(await sdk.Client.markerSync(new Date(0).toISOString())).data.userMarkers[0].lastSyncAt"
"""When markers were read last, as a device keeps it."""


async def read(client: SdkClient, steps: list[tuple[str, str]], **names: Any) -> None:
    """Each step, `(call, condition on its result r)`."""
    for call, condition in steps:
        found = await client.run(
            f"const r = await sdk.{call}; return ({condition}) ? null : JSON.stringify(r) ?? 'nothing'", **names
        )
        assert found is None, f"{call}: {found}"


async def shown(client: SdkClient, steps: list[tuple[str, str]], **names: Any) -> None:
    """Each step, `(call with told for its callback, condition on a snapshot s)`."""
    for call, condition in steps:
        name = await client.follow(f"sdk.{call}", **names)
        try:
            await client.until(name, condition, **names)
        except Error as error:
            last = await client.run("return followed[a.name].snapshot ?? null", name=name)
            raise AssertionError(f"{call}: {str(last)[:400]}") from error


async def test_things_are_read_by_their_ids(host: SdkClient, viewer: SdkClient) -> None:
    place = await community(host, viewer)
    post = await host.run(POST, place=place, text="Read me")
    comment = await viewer.run(
        "return (await sdk.CommentRepository.createComment({ referenceType: 'post', referenceId: a.post,"
        " data: { text: 'Read' } })).data.commentId",
        post=post,
    )
    channel = await live_chat(host, viewer)
    message = (await host.run(SEND, feed=channel["feed"], text="Read me too"))["id"]
    poll = await host.run(
        "return (await sdk.PollRepository.createPoll({ question: 'Tea?', answerType: 'single', closedIn: 86400000,"
        " answers: [{ dataType: 'text', data: 'Yes' }, { dataType: 'text', data: 'No' }] })).data.pollId"
    )
    category = (await host.http("GET", "/api/v3/community-categories"))["categories"][0]["categoryId"]
    names = {"who": host.user_id, "place": place, "post": post, "comment": comment, "id": channel["id"]}
    names |= {"feed": channel["feed"], "message": message, "poll": poll, "category": category}
    await read(
        viewer,
        [
            ("UserRepository.getUserByIds([a.who])", "r.data.length === 1 && r.data[0].userId === a.who"),
            ("PostRepository.getPostByIds([a.post])", "r.data.length === 1 && r.data[0].data.text === 'Read me'"),
            ("CommentRepository.getCommentByIds([a.comment])", "r.data.length === 1 && r.data[0].data.text === 'Read'"),
            ("CommunityRepository.getCommunityByIds([a.place])", "r.data.length === 1 && r.data[0].isJoined"),
            ("ChannelRepository.getChannelByIds([a.id])", "r.data.length === 1 && r.data[0].channelId === a.id"),
            ("SubChannelRepository.getSubChannelByIds([a.feed])", "r.data[0].subChannelId === a.feed"),
            ("CategoryRepository.getCategory(a.category)", "r.data.categoryId === a.category && r.data.name"),
        ],
        **names,
    )
    await shown(
        viewer,
        [
            ("UserRepository.getUser(a.who, told)", "!s.loading && s.data.userId === a.who"),
            ("UserRepository.getUsers({ displayName: a.who, limit: 5 }, told)", "!s.loading && s.data.length >= 1"),
            ("CommentRepository.getComment(a.comment, told)", "!s.loading && s.data.data.text === 'Read'"),
            ("MessageRepository.getMessage(a.message, told)", "!s.loading && s.data.data.text === 'Read me too'"),
            ("ChannelRepository.getChannel(a.id, told)", "!s.loading && s.data.channelId === a.id"),
            ("SubChannelRepository.getSubChannel(a.feed, told)", "!s.loading && s.data.subChannelId === a.feed"),
            ("PollRepository.getPoll(a.poll, told)", "!s.loading && s.data.question === 'Tea?'"),
            ("CommunityRepository.searchCommunities({ displayName: 'Maker' }, told)", "!s.loading && s.data.length"),
            (
                "FeedRepository.getCommunityFeed({ communityId: a.place, feedType: 'published' }, told)",
                "!s.loading && s.data.find((p) => p.postId === a.post)",
            ),
            (
                "FeedRepository.getCustomRankingGlobalFeed({ limit: 20 }, told)",
                "!s.loading && s.data.find((p) => p.postId === a.post)",
            ),
            (
                "ChannelRepository.Membership.searchMembers({ channelId: a.id, search: a.who }, told)",
                "!s.loading && s.data.length === 1 && s.data[0].userId === a.who",
            ),
            ("ChannelRepository.getTotalChannelsUnread(told)", "!s.loading && s.data.unreadCount >= 0"),
            ("Client.getUserUnread(told)", "!s.loading && s.data.unreadCount >= 0"),
            ("notificationTray.getNotificationTraySeen(told)", "!s.loading && s.data.lastTraySeenAt"),
            ("InvitationRepository.getMyCommunityInvitations({ limit: 5 }, told)", "!s.loading && !s.data.length"),
        ],
        **names,
    )


async def test_a_search_goes_on_page_by_page(host: SdkClient, viewer: SdkClient) -> None:
    name = f"Choir {os.urandom(3).hex()}"
    channels = []
    for number in range(25):
        await host.http("POST", "/api/v3/communities", {"displayName": f"{name} {24 - number:02}"})
        body = {
            "type": "community",
            "displayName": f"{name} {24 - number:02}",
            "tags": ["odd" if number % 2 else "even"],
        }
        channels.append((await host.http("POST", "/api/v3/channels", body))["channels"][0])
    for what in ("CommunityRepository.getCommunities", "ChannelRepository.getChannels"):
        query = "{ displayName: a.name, limit: 20, sortBy: 'displayName' }"
        found = await viewer.follow(f"sdk.{what}({query}, told)", name=name.casefold())
        first = await viewer.until(
            found, "!s.loading && s.data.length === 20 && s.hasNextPage && s.data[0].displayName"
        )
        assert first == f"{name} 00"
        await viewer.run("followed[a.found].snapshot.onNextPage()", found=found)
        await viewer.until(found, "!s.loading && s.data.length === 25 && !s.hasNextPage")
    # The one that was written in last comes first, though it was made in the middle, and its name is there too.
    await host.run(SEND, feed=channels[12]["defaultSubChannelId"], text="We sing")
    odd, even = ([f"{number:02}" for number in range(first, -1, -2)] for first in (23, 24))
    for query, wanted in (
        ("{ displayName: a.name, limit: 1 }", ["12"]),
        ("{ displayName: a.name, limit: 20, tags: ['odd'], sortBy: 'firstCreated' }", odd),
        ("{ displayName: a.name, limit: 20, excludeTags: ['odd'], sortBy: 'firstCreated' }", even),
    ):
        found = await viewer.follow(f"sdk.ChannelRepository.getChannels({query}, told)", name=name)
        shown = await viewer.until(found, "!s.loading && s.data.map((c) => c.displayName.slice(-2))")
        assert shown == wanted, query


async def test_pinned_posts_come_with_what_they_say(host: SdkClient, viewer: SdkClient) -> None:
    place = await community(host, viewer)
    posts = [await host.run(POST, place=place, text=text) for text in ("Rules", "News", "Everywhere")]
    placements = ("default", "announcement", "global")

    def pin(post: str, placement: str, call: str = "") -> None:
        """As somebody at the Console would: the SDK has no call for it."""
        httpx.post(
            f"{host.sandbox.url}/sandbox/pins{call}",
            json={"postId": post, "placement": placement},
            headers={"X-API-Key": host.sandbox.api_key},
            trust_env=False,
            timeout=60,
        ).raise_for_status()

    for post, placement in zip(posts, placements, strict=True):
        pin(post, placement)
    pins = "PostRepository.getPinnedPosts({ communityId: a.place, ...a.more }, told)"
    text = "s.data.map((p) => p.post.data.text)"
    for more, wanted in (
        ({}, ["News", "Rules"]),
        ({"placement": "announcement"}, ["News"]),
        ({"placement": "default"}, ["Rules"]),
    ):
        name = await viewer.follow(f"sdk.{pins}", place=place, more=more)
        assert await viewer.until(name, f"!s.loading && s.data.length === {len(wanted)} && {text}") == wanted
        target = await viewer.until(name, "s.data[0].target")
        assert (target["targetId"], target["targetType"]) == (place, "community")
    name = await viewer.follow("sdk.PostRepository.getGlobalPinnedPosts({}, told)")
    await viewer.until(name, f"!s.loading && s.data.length && {text}.includes('Everywhere')")
    await host.run("await sdk.PostRepository.hardDeletePost(a.id)", id=posts[0])
    pin(posts[1], "announcement", "/remove")
    pin(posts[2], "global", "/remove")
    assert (await viewer.http("GET", f"/api/v1/pinned-posts/communities/{place}"))["pins"] == []
    assert (await viewer.http("GET", "/api/v1/pinned-posts/global"))["pins"] == []


async def test_posts_of_sound_and_pictures(host: SdkClient, viewer: SdkClient) -> None:
    place = await community(host, viewer)
    upload = """
    const form = new FormData();
    form.append(a.part, new Blob([new Uint8Array(2000)], { type: a.mime }), a.name);
    return (await sdk.FileRepository[a.call](form)).data[0].fileId;
    """
    files = {
        kind: await host.run(upload, call=call, part=part, mime=mime, name=f"some.{mime.partition('/')[2]}")
        for kind, call, part, mime in (
            ("audio", "uploadAudio", "file", "audio/mpeg"),
            ("clip", "uploadClip", "files", "video/mp4"),
            ("video", "uploadVideo", "files", "video/mp4"),
        )
    }
    await host.run(
        """
        const to = { targetType: "community", targetId: a.place };
        const of = (type, more) => ({ type, fileId: a.files[type], ...more });
        await sdk.PostRepository.createAudioPost(
            { ...to, dataType: "audio", data: { text: "Hear" }, attachments: [of("audio")] });
        await sdk.PostRepository.createClipPost({ ...to, dataType: "clip", data: { text: "See" },
            attachments: [of("clip", { displayMode: "fill", isMuted: false })] });
        await sdk.PostRepository.createMixedMediaPost({ ...to, data: { text: "Both" }, structureType: "mixed",
            attachments: [of("video"), of("audio")] });
        """,
        place=place,
        files=files,
    )
    feed = await viewer.follow(
        "sdk.PostRepository.getPosts({ targetType: 'community', targetId: a.place,"
        " includeMixedStructure: true }, told)",
        place=place,
    )
    await viewer.until(
        feed, "!s.loading && ['Hear', 'See', 'Both'].every((t) => s.data.find((p) => p.data.text === t))"
    )


async def test_settings_and_roles_of_the_network(host: SdkClient) -> None:
    await read(
        host,
        [
            ("Client.getSocialSettings()", "typeof r === 'object'"),
            ("Client.getFeedSettings()", "typeof r === 'object'"),
            ("Client.getShareableLinkConfiguration()", "typeof r === 'object'"),
            ("Client.getProductCatalogueSetting()", "typeof r.product?.enabled === 'boolean' || 'enabled' in r"),
            ("Client.getActiveUser()", "r._id"),
            ("Client.getCurrentUser()", "r.userId === a.who"),
            ("Client.isConnected()", "r === true"),
            ("AdRepository.getNetworkAds()", "r.ads.length === 0 && r.settings"),
            ("queryRoles({ limit: 20 })", "r.data.length >= 2"),
            ("getRole('community-moderator')", "r.data.permissions.includes('EDIT_COMMUNITY')"),
            ("Client.fetchLinkPreview('example.com')", "'title' in r && 'image' in r"),
            ("Client.getLinkPreviewMetadata('https://example.com')", "'title' in r && 'image' in r"),
            ("Client.markerSync(new Date(0).toISOString())", "r.data.userMarkers.length === 1"),
            (f"Client.markerSync({SYNCED})", "!r.hasMore"),
            ("UserRepository.getAllBlockedUsers()", "Array.isArray(r)"),
            ("FeedRepository.queryGlobalFeed({ limit: 5 })", "Array.isArray(r.data)"),
        ],
        who=host.user_id,
    )
