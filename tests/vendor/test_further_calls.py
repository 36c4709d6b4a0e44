"""Further calls of the vendor's SDK: a step is green when the other client saw it, or the server's answer was read."""

from __future__ import annotations

import os

import httpx
import pytest
from playwright.async_api import Browser

import spnb
from tests.conftest import RunningSandbox
from tests.vendor.clients import SdkClient, SdkError
from tests.vendor.test_chat import SEND
from tests.vendor.test_rooms import NEW_ROOM, WATCH
from tests.vendor.test_social import community
from tests.vendor.test_told import told

ROOM = "await new Promise((got) => sdk.RoomRepository.getRoom(a.id, (s) => !s.loading && got(s.data)))"


@pytest.mark.media
async def test_a_room_is_on_air_stopped_and_recorded(
    host: SdkClient, viewer: SdkClient, sandbox: RunningSandbox
) -> None:
    place = await community(host, viewer)
    room = await host.run(NEW_ROOM)
    post = await host.run(
        "return (await sdk.PostRepository.createRoomPost({ targetType: 'community', targetId: a.place,"
        " data: { roomId: a.id } })).data.childrenPosts[0].postId",
        place=place,
        id=room["roomId"],
    )
    await viewer.run(WATCH, **room)
    given = await host.run("return await sdk.RoomRepository.getBroadcasterData(a.roomId)", **room)
    assert given["coHostUrl"].startswith("ws")
    assert given["coHostToken"].count(".") == 2
    names = {
        step: await viewer.hear(f"sdk.RoomRepository.onRoom{step}(told)")
        for step in ("StartBroadcasting", "EndBroadcasting", "RecordedAvailable")
    }
    this = {"id": room["roomId"]}
    key = {"X-API-Key": sandbox.api_key}
    # The same user by Python: a browser's camera is not what is tried here.
    async with spnb.connect_async(host.user_id, url=sandbox.url, api_key=sandbox.api_key) as sp:
        show = await (await sp.rooms.get(room["roomId"])).go_live(spnb.TestCard(160, 90, fps=10))
        await viewer.heard(names["StartBroadcasting"], "e.roomId === a.id && e.status === 'live'", **this)
        watched = await viewer.run(
            f"""const room = {ROOM};
            const id = await room.analytics().createWatchSession(new Date(Date.now() - 5000));
            await room.analytics().updateWatchSession(id, 5, new Date());
            // Its signing takes its PKCS#8 key for PKCS#1: no browser imports that, and nothing is sent.
            return [id, await sdk.RoomRepository.syncWatchSessions()];""",
            **this,
        )
        assert watched[0]
        assert watched[1] is False
        lives = (
            "getLiveRoomPosts(told)",
            "getCommunityLiveRoomPosts({ communityIds: [a.place] }, told)",
        )
        for call in lives:
            name = await viewer.follow(f"sdk.PostRepository.{call}", place=place)
            await viewer.until(
                name, "s.data?.find((p) => [p.postId, ...(p.children ?? [])].includes(a.post))", post=post
            )
        await host.run("await sdk.RoomRepository.stopRoom(a.id)", **this)
        await viewer.heard(names["EndBroadcasting"], "e.roomId === a.id", **this)
        await viewer.heard(names["RecordedAvailable"], "e.roomId === a.id", **this)
        await show.stop()
        # Staff, or the network's moderation, ends another one.
        other = await host.run(NEW_ROOM)
        await viewer.run(WATCH, **other)
        over = await viewer.hear("sdk.RoomRepository.onRoomTerminated(told)")
        show = await (await sp.rooms.get(other["roomId"])).go_live(spnb.TestCard(160, 90, fps=10))
        await viewer.heard(names["StartBroadcasting"], "e.roomId === a.id && e.status === 'live'", id=other["roomId"])
        found = {"category": "violence", "confidence": 0.9}
        url = f"{sandbox.url}/sandbox/rooms/{other['roomId']}/moderation"
        answer = httpx.post(url, json=found, headers=key, trust_env=False, timeout=60)
        assert answer.json()["action"] == "terminate"
        await viewer.heard(over, "e.roomId === a.id", id=other["roomId"])
        await show.wait_ended(60)
    played = await viewer.run("return (await sdk.RoomRepository.getRecordedUrl(a.id)).url", **this)
    answer = httpx.get(played, trust_env=False, timeout=60)
    assert (answer.status_code, answer.text[:7]) == (200, "#EXTM3U")


async def test_invitations_are_cancelled_and_rejected_and_a_stage_is_left(host: SdkClient, viewer: SdkClient) -> None:
    room = await host.run(NEW_ROOM)
    for client in (host, viewer):
        await client.run(WATCH, **room)
    this, who = {"id": room["roomId"]}, {"who": viewer.user_id}
    invite = f"const room = {ROOM}; return (await room.createInvitation(a.who)).data[0].invitationId"
    invited = await viewer.hear("sdk.RoomRepository.onRoomCoHostInvited(told)")
    cancelled = await viewer.hear("sdk.RoomRepository.onRoomCoHostInviteCanceled(told)")
    invitation = await host.run(invite, **this, **who)
    await viewer.heard(invited)
    await host.run("await sdk.InvitationRepository.cancelInvitation(a.invitation)", invitation=invitation)
    await viewer.heard(cancelled)
    gone = await viewer.run(f"const room = {ROOM}; return (await room.getInvitations()) ?? null", **this)
    assert gone is None or gone["status"] == "cancelled"

    rejected = await host.hear("sdk.RoomRepository.onRoomCoHostInviteRejected(told)")
    await host.run(invite, **this, **who)
    await viewer.run(f"const room = {ROOM}; await (await room.getInvitations()).reject()", **this)
    await host.heard(rejected)

    await host.run(invite, **this, **who)
    await viewer.run(f"const room = {ROOM}; await (await room.getInvitations()).accept()", **this)
    left = await host.hear("sdk.RoomRepository.onRoomParticipantLeft(told)")
    await viewer.run("await sdk.RoomRepository.leaveRoom(a.id)", **this)
    await host.heard(left)
    read = (await host.http("GET", f"/api/v1/rooms/{room['roomId']}"))["rooms"][0]
    assert [person["userId"] for person in read["participants"]] == [host.user_id]


async def test_polls_are_deleted_and_events_change(host: SdkClient, viewer: SdkClient) -> None:
    place = await community(host, viewer)
    poll = await host.run(
        """
        const { data } = await sdk.PollRepository.createPoll({ question: "Tea?", answerType: "single",
            answers: [{ dataType: "text", data: "Yes" }, { dataType: "text", data: "No" }], closedIn: 86400000 });
        return data.pollId;
        """
    )
    await host.run("await sdk.PollRepository.deletePoll(a.id)", id=poll)
    with pytest.raises(SdkError) as gone:
        await viewer.http("GET", f"/api/v3/polls/{poll}")
    assert gone.value.code == 400400

    event = await host.run(
        """
        const { data } = await sdk.EventRepository.createEvent({ title: "Concert", type: "virtual",
            startTime: new Date(Date.now() + 86400000).toISOString(), originType: "community", originId: a.place });
        return data.eventId;
        """,
        place=place,
    )
    this, events = "e.eventId === a.id", "EventRepository.on"
    await told(
        viewer,
        host,
        [(f"{events}EventUpdated", "await sdk.EventRepository.updateEvent(a.id, { title: 'Recital' })", this)],
        id=event,
    )
    of_event = "await new Promise((got) => sdk.EventRepository.getEvent(a.id, (s) => !s.loading && got(s.data)))"
    await told(
        host,
        viewer,
        [
            # The SDK's own observers of responses look them up by another key than it keeps them by, and fail.
            (f"{events}EventUpdated", f"await ({of_event}).createRSVP('going')", f"{this} && e.rsvpCount === 1"),
            (f"{events}EventUpdated", f"await ({of_event}).updateRSVP('not_going')", f"{this} && e.rsvpCount === 0"),
        ],
        id=event,
    )
    await told(viewer, host, [(f"{events}EventDeleted", "await sdk.EventRepository.deleteEvent(a.id)", this)], id=event)


async def test_who_read_what_and_which_notice_was_seen(host: SdkClient, viewer: SdkClient) -> None:
    place = await community(host, viewer)
    feed = await host.run(
        "return (await sdk.ChannelRepository.createChannel({ type: 'community', displayName: 'Talk',"
        " userIds: [a.other] })).data.defaultSubChannelId",
        other=viewer.user_id,
    )
    message = (await host.run(SEND, feed=feed, text="Read me"))["id"]
    await viewer.run("await sdk.MessageRepository.markAsDelivered(a.feed, a.id)", feed=feed, id=message)
    users = "return (await sdk.MessageRepository.get{0}Users({{ messageId: a.id }})).data.map((u) => u.userId)"
    assert sorted(await host.run(users.format("Delivered"), id=message)) == sorted([host.user_id, viewer.user_id])
    assert await host.run(users.format("Read"), id=message) == [host.user_id], "who wrote it has read it"

    post = await host.run(
        "return (await sdk.PostRepository.createPost({ targetType: 'community', targetId: a.place,"
        " data: { text: 'Mine' } })).data.postId",
        place=place,
    )
    await viewer.run("await sdk.ReactionRepository.addReaction('post', a.post, 'like')", post=post)
    tray = await host.follow("sdk.notificationTray.getNotificationTrayItems({ limit: 20 }, told)")
    item = await host.until(
        tray, "!s.loading && s.data.find((i) => i.actionReferenceId === a.post && !i.isSeen)", post=post
    )
    await host.run(
        "await sdk.notificationTray.markItemsSeen([{ id: a.id, lastSeenAt: new Date().toISOString() }])",
        id=item["_id"],
    )
    items = (await host.http("GET", "/api/v1/notification-tray"))["notificationTrayItems"]
    assert next(each for each in items if each["_id"] == item["_id"])["lastSeenAt"] >= item["lastOccurredAt"]


async def test_videos_and_sound_are_uploaded(host: SdkClient, viewer: SdkClient) -> None:
    for kind, mime in (("Video", "video/mp4"), ("Audio", "audio/mpeg")):
        file = await host.run(
            """
            const form = new FormData();
            const part = new Blob([new Uint8Array(2000)], { type: a.mime });
            form.append(a.kind === "Audio" ? "file" : "files", part, a.name);
            return (await sdk.FileRepository[`upload${a.kind}`](form)).data[0];
            """,
            kind=kind,
            mime=mime,
            name=f"some.{mime[-3:]}",
        )
        seen = await viewer.run("return (await sdk.FileRepository.getFile(a.id)).data", id=file["fileId"])
        assert (seen["type"], seen["attributes"]["size"]) == (kind.lower(), 2000)


async def test_a_bot_reads_and_may_not_write(browser: Browser, site: str, sandbox: RunningSandbox) -> None:
    bot = await SdkClient.open(browser, site, sandbox, f"bot-{os.urandom(3).hex()}")
    await bot.start(bot=True)
    assert await bot.run("return sdk.Client.getCurrentUserType()") == "bot"
    shown = await bot.follow("sdk.CommunityRepository.getCommunity('sandbox', told)")
    await bot.until(shown, "!s.loading && s.data.communityId === 'sandbox'")
    refused = await bot.run(
        "try { await sdk.CommunityRepository.joinCommunity('sandbox') } catch (error) { return error.code }"
    )
    assert refused == 403998
    await bot.page.context.close()
