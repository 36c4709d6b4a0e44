"""Channels and messages as the vendor's SDK uses them: what one client does is seen by the other."""

from __future__ import annotations

from tests.vendor.clients import SdkClient


async def live_chat(host: SdkClient, viewer: SdkClient) -> dict[str, str]:
    """A live channel that both have joined and follow."""
    channel: dict[str, str] = await host.run(
        """
        const { data } = await sdk.ChannelRepository.createChannel({ type: "live", displayName: "Chat" });
        return { id: data.channelId, feed: data.defaultSubChannelId, path: data.path };
        """
    )
    for client in (host, viewer):
        await client.run("await sdk.ChannelRepository.joinChannel(a.id)", id=channel["id"])
        await client.run(
            "await new Promise((granted, failed) => sdk.subscribeTopic(sdk.getChannelTopic(a),"
            " (error) => (error ? failed(error) : granted())))",
            path=channel["path"],
        )
    return channel


MESSAGES = "sdk.MessageRepository.getMessages({ subChannelId: a.feed, ...a.query }, told)"
SEND = """
const { data } = await sdk.MessageRepository.createMessage(
    { subChannelId: a.feed, dataType: "text", data: { text: a.text }, ...(a.more ?? {}) });
return { id: data.messageId, reference: data.referenceId, state: data.syncState };
"""
TRY = f"try {{ {SEND} }} catch (error) {{ return error.code }}"


async def test_messages_reach_the_other_client(host: SdkClient, viewer: SdkClient) -> None:
    channel = await live_chat(host, viewer)
    seen = await viewer.follow(MESSAGES, feed=channel["feed"], query={"sortBy": "segmentAsc"})
    sent = await host.run(SEND, feed=channel["feed"], text="Hello there", more={"tags": ["greeting"]})
    assert sent["reference"].startswith("LOCAL_")
    assert len(sent["reference"]) == 42
    told = await viewer.until(seen, "s.data.find((m) => m.data.text === 'Hello there')")
    assert (told["messageId"], told["creatorId"], told["channelSegment"]) == (sent["id"], host.user_id, 1)
    stored = await viewer.http("GET", f"/api/v5/messages/{sent['id']}")
    assert stored["messages"][0]["referenceId"] == sent["reference"]

    await viewer.run(SEND, feed=channel["feed"], text="And back", more={"parentId": sent["id"]})
    answered = await host.follow(MESSAGES, feed=channel["feed"], query={"sortBy": "segmentAsc"})
    await host.until(answered, "s.data.find((m) => m.data.text === 'And back' && m.parentId === a.id)", id=sent["id"])
    replies = await host.follow(MESSAGES, feed=channel["feed"], query={"parentId": sent["id"]})
    await host.until(replies, "!s.loading && s.data.length === 1")

    await host.run("await sdk.MessageRepository.editMessage(a.id, { data: { text: 'Hello, all' } })", id=sent["id"])
    await viewer.until(seen, "s.data.find((m) => m.data.text === 'Hello, all')")
    await viewer.run("await sdk.ReactionRepository.addReaction('message', a.id, 'heart')", id=sent["id"])
    await host.until(answered, "s.data.find((m) => m.messageId === a.id && m.reactions.heart === 1)", id=sent["id"])
    await viewer.run("await sdk.ReactionRepository.removeReaction('message', a.id, 'heart')", id=sent["id"])
    await host.until(answered, "s.data.find((m) => m.messageId === a.id && !m.reactions.heart)", id=sent["id"])

    flagged = "return await sdk.MessageRepository.isMessageFlaggedByMe(a.id)"
    assert await viewer.run(flagged, id=sent["id"]) is False
    await viewer.run("await sdk.MessageRepository.flagMessage(a.id)", id=sent["id"])
    assert await viewer.run(flagged, id=sent["id"]) is True
    await host.until(answered, "s.data.find((m) => m.messageId === a.id && m.flagCount === 1)", id=sent["id"])
    await viewer.run("await sdk.MessageRepository.unflagMessage(a.id)", id=sent["id"])
    assert await viewer.run(flagged, id=sent["id"]) is False

    await host.run("await sdk.MessageRepository.softDeleteMessage(a.id)", id=sent["id"])
    await viewer.until(seen, "s.data.every((m) => m.messageId !== a.id || m.isDeleted) || undefined", id=sent["id"])
    left = await viewer.http("GET", f"/api/v5/messages?messageFeedId={channel['feed']}&isDeleted=false")
    assert [message["data"]["text"] for message in left["messages"]] == ["And back"]


async def test_messages_are_filtered_paged_and_found_around_one(host: SdkClient, viewer: SdkClient) -> None:
    channel = await live_chat(host, viewer)
    ids = []
    for number in range(25):
        more = {"tags": ["odd" if number % 2 else "even"]}
        ids.append((await host.run(SEND, feed=channel["feed"], text=f"number {number}", more=more))["id"])
    await host.run(
        """
        await sdk.MessageRepository.createMessage(
            { subChannelId: a.feed, dataType: "custom", data: { price: 3 }, metadata: { shown: true },
              mentionees: [{ type: "user", userIds: [a.other] }] });
        """,
        feed=channel["feed"],
        other=viewer.user_id,
    )
    tagged = await viewer.follow(MESSAGES, feed=channel["feed"], query={"includingTags": ["odd"], "limit": 20})
    assert (
        await viewer.until(tagged, "!s.loading && s.data.length === 12 && s.data.map((m) => m.tags[0])") == ["odd"] * 12
    )
    untagged = await viewer.follow(MESSAGES, feed=channel["feed"], query={"excludingTags": ["odd"], "limit": 20})
    await viewer.until(untagged, "!s.loading && s.data.length === 14")
    custom = await viewer.follow(MESSAGES, feed=channel["feed"], query={"type": "custom"})
    found = await viewer.until(custom, "!s.loading && s.data.length === 1 && s.data[0]")
    assert (found["data"], found["metadata"]) == ({"price": 3}, {"shown": True})
    assert found["mentionees"] == [{"type": "user", "userIds": [viewer.user_id]}]

    paged = await viewer.follow(MESSAGES, feed=channel["feed"], query={"limit": 10})
    await viewer.until(paged, "!s.loading && s.data.length === 10 && s.hasNextPage")
    await viewer.run("followed[a.name].snapshot.onNextPage()", name=paged)
    await viewer.until(paged, "!s.loading && s.data.length === 20 && s.hasNextPage")
    await viewer.run("followed[a.name].snapshot.onNextPage()", name=paged)
    segments = await viewer.until(
        paged, "!s.loading && s.data.length === 26 && !s.hasNextPage && s.data.map((m) => m.channelSegment)"
    )
    assert sorted(segments) == list(range(1, 27))
    await viewer.run("await sdk.MessageRepository.flagMessage(a.id)", id=ids[3])
    await host.run("await sdk.MessageRepository.softDeleteMessage(a.id)", id=ids[5])
    for query, wanted in (
        ({"hasFlags": True}, [4]),
        ({"sortBy": "segmentAsc", "limit": 6, "includeDeleted": False}, [1, 2, 3, 4, 5, 7]),
        ({"sortBy": "segmentAsc", "limit": 6, "includeDeleted": True}, [1, 2, 3, 4, 5, 6]),
    ):
        found = await viewer.follow(MESSAGES, feed=channel["feed"], query=query)
        segments = await viewer.until(found, "!s.loading && s.data.map((m) => m.channelSegment)")
        assert segments == wanted, query
    around = await viewer.follow(MESSAGES, feed=channel["feed"], query={"aroundMessageId": ids[12], "limit": 6})
    near = await viewer.until(around, "!s.loading && s.data.length >= 6 && s.data.map((m) => m.channelSegment)")
    assert sorted(near) == list(range(10, 16))


async def test_an_image_goes_with_a_message(host: SdkClient, viewer: SdkClient) -> None:
    channel = await live_chat(host, viewer)
    seen = await viewer.follow(MESSAGES, feed=channel["feed"], query={})
    uploaded = await host.run(
        """
        const canvas = Object.assign(document.createElement("canvas"), { width: 8, height: 8 });
        const form = new FormData();
        form.append("files", await new Promise((done) => canvas.toBlob(done, "image/png")), "dot.png");
        const { data: [file] } = await sdk.FileRepository.uploadImage(form, undefined, "A dot");
        await sdk.MessageRepository.createMessage(
            { subChannelId: a.feed, dataType: "image", fileId: file.fileId, data: { caption: "A dot" } });
        await sdk.FileRepository.updateAltText(file.fileId, "One dot");
        return file;
        """,
        feed=channel["feed"],
    )
    told = await viewer.until(seen, "s.data.find((m) => m.dataType === 'image')")
    assert told["fileId"] == uploaded["fileId"]
    file = await viewer.run("return (await sdk.FileRepository.getFile(a.id)).data", id=uploaded["fileId"])
    assert (file["type"], file["altText"], file["attributes"]["mimeType"]) == ("image", "One dot", "image/png")
    status = await viewer.run(
        "return (await fetch(sdk.FileRepository.fileUrlWithSize(a.url, 'small'))).status", url=file["fileUrl"]
    )
    assert status == 200


async def test_channels_have_members_moderators_and_the_banned(host: SdkClient, viewer: SdkClient) -> None:
    channel = await live_chat(host, viewer)
    members = "sdk.ChannelRepository.Membership.getMembers({ channelId: a.id, ...a.query }, told)"
    both = await viewer.follow(members, id=channel["id"], query={})
    await viewer.until(both, "!s.loading && s.data.length === 2 && s.data.every((m) => m.user)")
    counted = await viewer.follow("sdk.ChannelRepository.getChannel(a.id, told)", id=channel["id"])
    await viewer.until(counted, "!s.loading && s.data.memberCount === 2")
    moderate = "await sdk.ChannelRepository.Moderation"
    await host.run(f"{moderate}.addRole(a.id, 'channel-moderator', [a.who])", id=channel["id"], who=viewer.user_id)
    roles = await viewer.follow(members, id=channel["id"], query={"roles": ["channel-moderator"]})
    await viewer.until(roles, "!s.loading && s.data.length === 2")
    may = "return sdk.Client.getActiveClient().hasPermission('EDIT_CHANNEL').channel(a.id)"
    assert await viewer.run(may, id=channel["id"]) is True
    await host.run(f"{moderate}.removeRole(a.id, 'channel-moderator', [a.who])", id=channel["id"], who=viewer.user_id)
    await viewer.until(both, "s.data.find((m) => m.userId === a.who && !m.roles.length)", who=viewer.user_id)
    left = await viewer.http("GET", f"/api/v4/channels/{channel['id']}/users?roles[]=channel-moderator")
    assert [member["userId"] for member in left["channelUsers"]] == [host.user_id]

    await host.run(f"{moderate}.muteMembers(a.id, [a.who], 3600)", id=channel["id"], who=viewer.user_id)
    refused = await viewer.run(
        f"try {{ {SEND} }} catch (error) {{ return error.code }}", feed=channel["feed"], text="x"
    )
    assert refused == 400302
    muted = await host.follow(members, id=channel["id"], query={"memberships": ["muted"]})
    await host.until(muted, "!s.loading && s.data.length === 1 && s.data[0].isMuted")
    await host.run(f"{moderate}.unmuteMembers(a.id, [a.who])", id=channel["id"], who=viewer.user_id)
    await viewer.run(SEND, feed=channel["feed"], text="I may again")

    banned = await viewer.hear("sdk.ChannelRepository.onChannelMemberBanned(told)")
    await host.run(f"{moderate}.banMembers(a.id, [a.who])", id=channel["id"], who=viewer.user_id)
    await viewer.heard(banned, "f.userId === a.who && f.membership === 'banned'", who=viewer.user_id)
    refused = await viewer.run(
        f"try {{ {SEND} }} catch (error) {{ return error.code }}", feed=channel["feed"], text="x"
    )
    assert refused == 400304
    await host.run(f"{moderate}.unbanMembers(a.id, [a.who])", id=channel["id"], who=viewer.user_id)

    renamed = await viewer.hear("sdk.ChannelRepository.onChannelUpdated(told)")
    await host.run(
        "await sdk.ChannelRepository.updateChannel(a.id, { displayName: 'Renamed', tags: ['late'] })", id=channel["id"]
    )
    await viewer.heard(renamed, "e.channelId === a.id && e.displayName === 'Renamed'", id=channel["id"])
    deleted = await viewer.hear("sdk.ChannelRepository.onChannelDeleted(told)")
    await host.run("await sdk.ChannelRepository.deleteChannel(a.id)", id=channel["id"])
    await viewer.heard(deleted, "e.channelId === a.id && e.isDeleted", id=channel["id"])
    reread = await viewer.http("GET", f"/api/v3/channels/{channel['id']}")
    assert reread["channels"][0]["isDeleted"] is True


async def test_communities_and_conversations_count_what_is_unread(host: SdkClient, viewer: SdkClient) -> None:
    for kind in ("community", "conversation"):
        channel = await host.run(
            """
            const { data } = await sdk.ChannelRepository.createChannel(
                { type: a.kind, displayName: "Talk", userIds: [a.other] });
            return { id: data.channelId, feed: data.defaultSubChannelId };
            """,
            kind=kind,
            other=viewer.user_id,
        )
        listed = await viewer.follow(
            "sdk.ChannelRepository.getChannels({ types: [a.kind], membership: 'member' }, told)", kind=kind
        )
        await viewer.until(listed, "s.data.find((c) => c.channelId === a.id)", id=channel["id"])
        # Nobody has subscribed to the channel: members hear of it on their own topics.
        seen = await viewer.follow(MESSAGES, feed=channel["feed"], query={})
        await viewer.until(seen, "!s.loading && s.data.length === 0")
        await host.run(SEND, feed=channel["feed"], text="Are you there?")
        await viewer.until(seen, "s.data.find((m) => m.data.text === 'Are you there?')")
        await viewer.until(listed, "s.data.find((c) => c.channelId === a.id && c.unreadCount === 1)", id=channel["id"])
        unread = f"/api/v1/markers/channels?channelIds[]={channel['id']}"
        assert (await viewer.http("GET", unread))["userEntityMarkers"][0]["unreadCount"] == 1
        assert (await host.http("GET", unread))["userEntityMarkers"][0]["unreadCount"] == 0
        to_viewer = {"mentionees": [{"type": "user", "userIds": [viewer.user_id]}]}
        await host.run(SEND, feed=channel["feed"], text="You!", more=to_viewer)
        mentioned = "s.data.find((c) => c.channelId === a.id && c.unreadCount === 2 && c.isMentioned)"
        await viewer.until(listed, mentioned, id=channel["id"])
        mark = (await viewer.http("GET", unread))["userEntityMarkers"][0]
        assert (mark["unreadCount"], mark["isMentioned"]) == (2, True)
        await viewer.run("await sdk.SubChannelRepository.startMessageReceiptSync(a.feed)", feed=channel["feed"])
        if kind == "community":
            await viewer.run(
                "await followed[a.listed].snapshot.data.find((c) => c.channelId === a.id).markAsRead()",
                listed=listed,
                id=channel["id"],
            )
        else:
            await viewer.until(seen, "s.data.find((m) => m.data.text === 'You!')")
            marked = "followed[a.seen].snapshot.data.find((m) => m.data.text === 'You!').markRead()"
            async with viewer.page.expect_response(
                lambda answer, channel_id=channel["id"]: (
                    answer.url.endswith("/channels/seen") and channel_id in (answer.request.post_data or "")
                )
            ):
                await viewer.run(marked, seen=seen)
            is_read = "s.data.find((c) => c.channelId === a.id && c.unreadCount === 0)"
            await viewer.until(listed, is_read, id=channel["id"])
        assert (await viewer.http("GET", unread))["userEntityMarkers"][0]["unreadCount"] == 0
    again = await viewer.run(
        "const made = await sdk.ChannelRepository.createChannel({ type: 'conversation', userIds: [a.other] });"
        "return made.data.channelId",
        other=host.user_id,
    )
    assert again == channel["id"]


async def test_a_channel_has_further_feeds(host: SdkClient, viewer: SdkClient) -> None:
    channel = await live_chat(host, viewer)
    heard = await viewer.hear("sdk.SubChannelRepository.onSubChannelCreated(told)")
    feed = await host.run(
        "const { data } = await sdk.SubChannelRepository.createSubChannel({ channelId: a.id, displayName: 'Aside' });"
        "return data.subChannelId",
        id=channel["id"],
    )
    await viewer.heard(heard, "e.subChannelId === a.feed && e.displayName === 'Aside'", feed=feed)
    seen = await viewer.follow(MESSAGES, feed=feed, query={})
    await host.run(SEND, feed=feed, text="Apart")
    await viewer.until(seen, "s.data.find((m) => m.data.text === 'Apart')")
    feeds = await viewer.follow("sdk.SubChannelRepository.getSubChannels({ channelId: a.id }, told)", id=channel["id"])
    await viewer.until(feeds, "!s.loading && s.data.length === 2")
