"""Rooms, their stage and their audience as the vendor's SDK uses them."""

from __future__ import annotations

from playwright.async_api import Browser

from tests.conftest import RunningSandbox
from tests.vendor.clients import SdkClient
from tests.vendor.test_social import community

WATCH = """
await new Promise((granted, failed) => sdk.subscribeTopic(sdk.getRoomWatcherTopic(a),
    (error) => (error ? failed(error) : granted())));
"""
NEW_ROOM = """
const { data } = await sdk.RoomRepository.createRoom({ title: "A show", type: "coHosts", ...(a.more ?? {}) });
return { roomId: data.roomId, _id: data._id };
"""


async def test_a_room_is_posted_watched_and_chatted_in(host: SdkClient, viewer: SdkClient) -> None:
    place = await community(host, viewer)
    room = await host.run(NEW_ROOM, more={"liveChatEnabled": True, "metadata": {"season": 2}})
    await viewer.run(WATCH, **room)
    live = await viewer.follow("sdk.RoomRepository.getRoom(a.id, told)", id=room["roomId"])
    await viewer.until(live, "!s.loading && s.data.title === 'A show'")
    feed = await viewer.follow(
        "sdk.PostRepository.getPosts({ targetType: 'community', targetId: a.place }, told)", place=place
    )
    await viewer.until(feed, "!s.loading")
    await host.run(
        "await sdk.PostRepository.createRoomPost({ targetType: 'community', targetId: a.place,"
        " data: { roomId: a.id, title: 'A show', text: 'Come' } })",
        place=place,
        id=room["roomId"],
    )
    shown = await viewer.until(feed, "s.data[0]?.childrenPosts?.[0]?.getRoomInfo?.()?.roomId")
    assert shown == room["roomId"]
    await viewer.until(live, "s.data.targetId === a.place && s.data.referenceType === 'post'", place=place)
    await host.run("await sdk.RoomRepository.updateRoom(a.id, { title: 'The show' })", id=room["roomId"])
    await viewer.until(live, "s.data.title === 'The show'")

    owned = await host.follow("sdk.RoomRepository.getRoom(a.id, told)", id=room["roomId"])
    await host.until(owned, "!s.loading")
    chat = await host.run("return (await followed[a.owned].snapshot.data.getLiveChat()).channelId", owned=owned)
    await viewer.until(live, "s.data.liveChannelId === a.chat", chat=chat)
    feed_id = await viewer.run(
        "return (await followed[a.live].snapshot.data.getLiveChat()).defaultSubChannelId", live=live
    )
    said = await host.follow("sdk.MessageRepository.getMessages({ subChannelId: a.feed }, told)", feed=feed_id)
    await host.run(
        "await new Promise((granted) => sdk.subscribeTopic(sdk.getChannelTopic(a), granted))",
        path=f"sandbox/chat/{chat}",
    )
    await viewer.run(
        "await sdk.ChannelRepository.joinChannel(a.chat);"
        "await sdk.MessageRepository.createMessage({ subChannelId: a.feed, dataType: 'text', data: { text: 'Hi' } })",
        chat=chat,
        feed=feed_id,
    )
    await host.until(said, "s.data.find((m) => m.data.text === 'Hi')")

    presence = await viewer.run(
        "await sdk.RoomPresenceRepository.startHeartbeat(a.id);"
        "await sdk.Client.getActiveClient().http.post(`/api/v1/presence/rooms/${a.id}/heartbeat`);"
        "return await sdk.RoomPresenceRepository.getRoomUserCount(a.id)",
        id=room["roomId"],
    )
    assert presence["count"] == 1
    online = await host.run(
        "return (await sdk.RoomPresenceRepository.getRoomOnlineUsers(a.id)).data", id=room["roomId"]
    )
    assert [each["userId"] for each in online] == [viewer.user_id]
    await viewer.run("await sdk.RoomPresenceRepository.stopHeartbeat(a.id)", id=room["roomId"])


async def test_rooms_have_children_and_their_parent_is_told(host: SdkClient, viewer: SdkClient) -> None:
    room = await host.run(NEW_ROOM)
    await viewer.run(WATCH, **room)
    live = await viewer.follow("sdk.RoomRepository.getRoom(a.id, told)", id=room["roomId"])
    await viewer.until(live, "!s.loading")
    child = await host.run(NEW_ROOM, more={"title": "Second camera", "parentRoomId": room["roomId"]})
    await viewer.until(live, "s.data.childRoomIds?.includes(a.child)", child=child["roomId"])
    listed = await viewer.follow(
        "sdk.RoomRepository.getRooms({ statuses: ['idle'], type: 'coHosts', sortBy: 'lastCreated' }, told)"
    )
    await viewer.until(listed, "!s.loading && s.data.find((r) => r.roomId === a.id)", id=child["roomId"])
    await host.run("await sdk.RoomRepository.updateRoom(a.id, { title: 'First camera' })", id=room["roomId"])
    await viewer.until(listed, "s.data.find((r) => r.roomId === a.id && r.title === 'First camera')", id=room["roomId"])
    await host.run("await sdk.RoomRepository.deleteRoom(a.id)", id=child["roomId"])
    again = await viewer.follow("sdk.RoomRepository.getRooms({ statuses: ['idle'], sortBy: 'lastCreated' }, told)")
    await viewer.until(again, "!s.loading && !s.data.find((r) => r.roomId === a.id)", id=child["roomId"])


async def test_a_co_host_is_invited_accepts_and_is_removed(host: SdkClient, viewer: SdkClient) -> None:
    room = await host.run(NEW_ROOM)
    for client in (host, viewer):
        await client.run(WATCH, **room)
    owned = await host.follow("sdk.RoomRepository.getRoom(a.id, told)", id=room["roomId"])
    await host.until(owned, "!s.loading")
    invited = await viewer.hear("sdk.RoomRepository.onRoomCoHostInvited(told)")
    observed = await host.hear(
        f"sdk.InvitationRepository.getInvitations({{ targetType: 'room', targetId: '{room['roomId']}' }},"
        " (all) => all.forEach(({ status }) => told(status)))"
    )
    await host.run("await followed[a.owned].snapshot.data.createInvitation(a.who)", owned=owned, who=viewer.user_id)
    await viewer.heard(invited, "true")
    accepted = await host.hear("sdk.RoomRepository.onRoomCoHostInviteAccepted(told)")
    joined = await host.hear("sdk.RoomRepository.onRoomParticipantJoined(told)")
    status = await viewer.run(
        """
        const room = await new Promise((got) => sdk.RoomRepository.getRoom(a.id, (s) => !s.loading && got(s.data)));
        const invitation = await room.getInvitations();
        await invitation.accept();
        return invitation.status;
        """,
        id=room["roomId"],
    )
    assert status == "pending"
    await host.heard(accepted, "true")
    await host.heard(observed, "e === 'approved'")
    await host.heard(joined, "true")
    participants = await host.until(
        owned, "s.data.participants.length === 2 && s.data.participants.map((p) => [p.type, p.userId])"
    )
    assert participants == [["host", host.user_id], ["coHost", viewer.user_id]]
    await host.run(
        "await sdk.RoomRepository.updateCohostPermission(a.id, a.who, true)", id=room["roomId"], who=viewer.user_id
    )
    await host.until(owned, "s.data.participants.find((p) => p.type === 'coHost' && p.canManageProductTags)")
    removed = await viewer.hear("sdk.RoomRepository.onRoomParticipantRemoved(told)")
    await host.run("await sdk.RoomRepository.removeParticipant(a.id, a.who)", id=room["roomId"], who=viewer.user_id)
    await viewer.heard(removed, "true")
    told = await viewer.http("GET", f"/api/v1/rooms/{room['roomId']}")
    assert [each["userId"] for each in told["rooms"][0]["participants"]] == [host.user_id]


async def test_floating_reactions_and_products(host: SdkClient, viewer: SdkClient) -> None:
    place = await community(host, viewer)
    room = await host.run(NEW_ROOM)
    products = await host.follow("sdk.ProductRepository.searchProducts({ keyword: 'lamp' }, told)")
    lamp = await host.until(products, "!s.loading && s.data.length === 1 && s.data[0].productId")
    child = await host.run(
        "const { data } = await sdk.PostRepository.createRoomPost({ targetType: 'community', targetId: a.place,"
        " data: { roomId: a.id }, productTags: [{ productId: a.lamp }] });"
        "const post = data.childrenPosts[0]; return { id: post.postId, path: post.path }",
        place=place,
        id=room["roomId"],
        lamp=lamp,
    )
    seen = await viewer.follow("sdk.PostRepository.getPost(a.id, told)", id=child["id"])
    await viewer.until(seen, "!s.loading && s.data.productTags.length === 1")
    await host.run("await sdk.PostRepository.pinProduct(a.post, a.lamp)", post=child["id"], lamp=lamp)
    await viewer.until(seen, "s.data.pinnedProductId === a.lamp", lamp=lamp)

    live = await host.follow("sdk.RoomRepository.getRoom(a.id, told)", id=room["roomId"])
    await host.until(live, "!s.loading && s.data.referenceId")
    heard = await host.follow(
        "sdk.LiveReactionRepository.getReactions(a.post, (each) => told({ data: each }))", post=child["id"]
    )
    batches = await host.hear("sdk.LiveReactionRepository.onLiveReactionCreated(told)")
    await host.run(
        "await new Promise((granted) => sdk.subscribeTopic(sdk.getLiveReactionTopic(a), granted))", path=child["path"]
    )
    await viewer.run(
        "await sdk.LiveReactionRepository.createReaction({ roomId: a.room, referenceId: a.post,"
        " referenceType: 'post', reactionName: 'heart' })",
        room=room["roomId"],
        post=child["id"],
    )
    who = {"who": viewer.user_id}
    of_viewer = "find((r) => r.reactionName === 'heart' && r.userId === a.who)"
    await host.until(heard, f"s.data.{of_viewer}", **who)
    await host.heard(batches, f"e.{of_viewer}", **who)

    # The SDK has no call for it: an app bans a viewer by the server.
    bans = f"/api/v1/rooms/{room['roomId']}/viewer-bans"
    await host.http("POST", bans, {"userIds": [viewer.user_id]})
    told = (await host.http("GET", bans))["roomBannedUsers"]
    assert [each["userPublicId"] for each in told] == [viewer.user_id]
    enter = "await sdk.Client.getActiveClient().http.post(`/api/v1/presence/rooms/${a.room}/heartbeat`)"
    refused = await viewer.run(f"try {{ {enter} }} catch (error) {{ return error.code }}", room=room["roomId"])
    assert refused == 400304
    await host.http("DELETE", bans, {"userIds": [viewer.user_id]})
    await viewer.run(enter, room=room["roomId"])


async def test_a_visitor_reads_and_may_not_write(browser: Browser, site: str, sandbox: RunningSandbox) -> None:
    visitor = await SdkClient.open(browser, site, sandbox, "nobody")
    await visitor.start(visitor=True)
    shown = await visitor.follow("sdk.CommunityRepository.getCommunity('sandbox', told)")
    await visitor.until(shown, "!s.loading && s.data.communityId === 'sandbox'")
    refused = await visitor.run(
        "try { await sdk.CommunityRepository.joinCommunity('sandbox') } catch (error) { return error.code }"
    )
    assert refused == 403999
    await visitor.page.context.close()
