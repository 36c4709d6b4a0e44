"""Communities, posts and comments as the vendor's SDK uses them: what one does is seen by the other."""

from __future__ import annotations

import asyncio

from tests.vendor.clients import SdkClient

FOLLOW = """
await new Promise((granted, failed) => sdk.subscribeTopic(sdk.getCommunityTopic(a, a.level),
    (error) => (error ? failed(error) : granted())));
"""
FEED = "sdk.PostRepository.getPosts({ targetType: 'community', targetId: a.id, ...a.query }, told)"


async def community(host: SdkClient, *others: SdkClient, **fields: object) -> str:
    """A community of the host's that the others have joined; all follow it and its posts."""
    made = await host.run(
        """
        const { data } = await sdk.CommunityRepository.createCommunity({ displayName: "Makers", ...a.fields });
        return { id: data.communityId, path: data.path };
        """,
        fields=fields,
    )
    for client in (host, *others):
        if client is not host:
            await client.run("await sdk.CommunityRepository.joinCommunity(a.id)", id=made["id"])
        for level in ("community", "post_and_comment"):
            await client.run(FOLLOW, path=made["path"], level=level)
    return str(made["id"])


async def test_communities_are_made_found_changed_and_closed(host: SdkClient, viewer: SdkClient) -> None:
    category = (await host.http("GET", "/api/v3/community-categories"))["categories"][0]["categoryId"]
    made = await community(host, viewer, categoryIds=[category], tags=["craft"], postSetting="ANYONE_CAN_POST")
    live = await viewer.follow("sdk.CommunityRepository.getCommunity(a.id, told)", id=made)
    seen = await viewer.until(live, "!s.loading && s.data.isJoined && s.data.membersCount === 2 && s.data")
    assert (seen["postSetting"], seen["categoryIds"]) == ("ANYONE_CAN_POST", [category])
    feeds = (await viewer.http("GET", f"/api/v3/communities/{made}"))["feeds"]
    assert {(feed["feedType"], feed["targetType"], feed["targetId"]) for feed in feeds} >= {
        (kind, "community", made) for kind in ("published", "reviewing")
    }
    await host.run("await sdk.CommunityRepository.updateCommunity(a.id, { displayName: 'Menders' })", id=made)
    await viewer.until(live, "s.data.displayName === 'Menders' && s.data.isJoined")

    for search in ("{ displayName: 'ender' }", "{ tags: ['craft'] }", "{ categoryId: a.category }"):
        found = await viewer.follow(f"sdk.CommunityRepository.getCommunities({search}, told)", category=category)
        await viewer.until(found, "!s.loading && s.data.find((c) => c.communityId === a.id)", id=made)
    for call in ("getTrendingCommunities({ limit: 20 }", "semanticSearchCommunities({ query: 'menders' }"):
        found = await viewer.follow(f"sdk.CommunityRepository.{call}, told)")
        await viewer.until(found, "!s.loading && s.data.find((c) => c.communityId === a.id)", id=made)
    recommended = await viewer.follow("sdk.CommunityRepository.getRecommendedCommunities({ limit: 20 }, told)")
    await viewer.until(recommended, "!s.loading && !s.data.find((c) => c.communityId === a.id)", id=made)
    for member in ("member", "notMember"):
        found = await viewer.follow(
            "sdk.CommunityRepository.getCommunities({ tags: ['craft'], membership: a.member }, told)", member=member
        )
        is_there = "s.data.find((c) => c.communityId === a.id)"
        await viewer.until(found, f"!s.loading && {'' if member == 'member' else '!'}{is_there}", id=made)
    for query in ("filter=notMember", "categoryId=sports", "tags[]=other", "keyword=no+such"):
        listed = await viewer.http("GET", f"/api/v3/communities?sortBy=lastCreated&{query}")
        assert made not in [each["communityId"] for each in listed["communities"]], query
    categories = await viewer.follow("sdk.CategoryRepository.getCategories({}, told)")
    await viewer.until(categories, "!s.loading && s.data.length >= 3")

    gone = await viewer.hear("sdk.CommunityRepository.onCommunityDeleted(told)")
    await host.run("await sdk.CommunityRepository.deleteCommunity(a.id)", id=made)
    await viewer.heard(gone, "e.communityId === a.id && e.isDeleted", id=made)


async def test_members_come_go_moderate_and_are_banned(host: SdkClient, viewer: SdkClient) -> None:
    made = await community(host, viewer)
    who = {"id": made, "who": viewer.user_id}
    members = await host.follow("sdk.CommunityRepository.Membership.getMembers({ communityId: a.id }, told)", id=made)
    await host.until(members, "!s.loading && s.data.length === 2 && s.data.every((m) => m.user)")
    moderate = "await sdk.CommunityRepository.Moderation"
    seen = await viewer.follow("sdk.CommunityRepository.Membership.getMembers({ communityId: a.id }, told)", id=made)
    await viewer.until(seen, "!s.loading && s.data.length === 2")
    await host.run(f"{moderate}.addRoles(a.id, ['community-moderator'], [a.who])", **who)
    await viewer.until(seen, "s.data.find((m) => m.userId === a.who && m.roles.length === 1)", who=viewer.user_id)
    may = "return sdk.Client.getActiveClient().hasPermission('EDIT_COMMUNITY').community(a.id)"
    assert await viewer.run(may, id=made) is True
    found = await host.follow(
        "sdk.CommunityRepository.Membership.searchMembers({ communityId: a.id, search: a.who }, told)", **who
    )
    await host.until(found, "!s.loading && s.data.length === 1 && s.data[0].roles.length === 1")
    await host.run(f"{moderate}.removeRoles(a.id, ['community-moderator'], [a.who])", **who)
    await host.run("await sdk.CommunityRepository.Membership.removeMembers(a.id, [a.who])", **who)
    await host.until(members, "s.data.filter((m) => m.communityMembership === 'member').length === 1")
    await host.run("await sdk.CommunityRepository.Membership.addMembers(a.id, [a.who])", **who)
    await host.run(f"{moderate}.banMembers(a.id, [a.who])", **who)
    refused = await viewer.run(
        "try { await sdk.CommunityRepository.joinCommunity(a.id) } catch (error) { return error.code }", id=made
    )
    assert refused == 400304
    await host.run(f"{moderate}.unbanMembers(a.id, [a.who])", **who)
    await viewer.run("await sdk.CommunityRepository.joinCommunity(a.id)", id=made)
    await viewer.run("await sdk.CommunityRepository.leaveCommunity(a.id)", id=made)
    left = await host.http("GET", f"/api/v3/communities/{made}/users")
    assert [member["userId"] for member in left["communityUsers"]] == [host.user_id]


async def test_some_communities_ask_for_approval(host: SdkClient, viewer: SdkClient) -> None:
    made = await community(host, requiresJoinApproval=True)
    live = await viewer.follow("sdk.CommunityRepository.getCommunity(a.id, told)", id=made)
    await viewer.until(live, "!s.loading && !s.data.isJoined")
    status = await viewer.run("return (await followed[a.live].snapshot.data.join()).status", live=live)
    assert status == "pending"
    own = await viewer.follow("sdk.CommunityRepository.getJoinRequestList({ communityIds: [a.id] }, told)", id=made)
    await viewer.until(own, "!s.loading && s.data.length === 1 && s.data[0].status === 'pending'")
    owned = await host.follow("sdk.CommunityRepository.getCommunity(a.id, told)", id=made)
    await host.until(owned, "!s.loading")
    requests = await host.follow(
        "followed[a.owned].snapshot.data.getJoinRequests({ status: 'pending' }, told)", owned=owned
    )
    await host.until(
        requests, "!s.loading && s.data.length === 1 && s.data[0].user.userId === a.who", who=viewer.user_id
    )
    await host.run("await followed[a.requests].snapshot.data[0].approve()", requests=requests)
    told = await viewer.http("GET", f"/api/v3/communities/{made}")
    assert told["communities"][0]["isJoined"] is True
    await viewer.run("await sdk.CommunityRepository.leaveCommunity(a.id)", id=made)
    pending = "({ request } = await followed[a.live].snapshot.data.join())"
    await viewer.run(f"let request; {pending}; await request.cancel()", live=live)
    asked = f"/api/v4/communities/{made}/join"
    assert (await host.http("GET", asked))["joinRequests"] == []
    await viewer.run(f"let request; {pending}", live=live)
    again = await host.follow(
        "followed[a.owned].snapshot.data.getJoinRequests({ status: 'pending', limit: 9 }, told)", owned=owned
    )
    await host.until(again, "!s.loading && s.data.length === 1")
    await host.run("await followed[a.again].snapshot.data[0].reject()", again=again)
    assert (await viewer.http("GET", f"{asked}/me"))["joinRequests"] == []
    assert [each["status"] for each in (await host.http("GET", f"{asked}?status=rejected"))["joinRequests"]] == [
        "rejected"
    ]
    assert (await viewer.http("GET", f"/api/v3/communities/{made}"))["communities"][0]["isJoined"] is False


async def test_posts_reach_the_other_client(host: SdkClient, viewer: SdkClient) -> None:
    made = await community(host, viewer)
    feed = await viewer.follow(FEED, id=made, query={})
    await viewer.until(feed, "!s.loading && s.data.length === 0")
    post = await host.run(
        """
        const { data } = await sdk.PostRepository.createPost({ targetType: "community", targetId: a.id,
            data: { text: "First words", title: "A post" }, tags: ["news"], hashtags: ["making"],
            mentionees: [{ type: "user", userIds: [a.other] }], metadata: { from: "test" } });
        return data;
        """,
        id=made,
        other=viewer.user_id,
    )
    seen = await viewer.until(feed, "s.data.find((p) => p.postId === a.id)", id=post["postId"])
    assert (seen["data"]["text"], seen["feedType"], seen["editedAt"]) == ("First words", "published", seen["createdAt"])
    assert seen["metadata"] == {"from": "test"}
    found = "s.data.find((p) => p.postId === a.id && ({}))"
    ids = {"id": post["postId"]}
    await host.run("await sdk.PostRepository.editPost(a.id, { data: { text: 'Second words' } })", **ids)
    await viewer.until(feed, found.format("p.data.text === 'Second words'"), **ids)
    own = await host.follow(FEED, id=made, query={})
    await viewer.run("await sdk.ReactionRepository.addReaction('post', a.id, 'like')", **ids)
    await host.until(own, found.format("p.reactions.like === 1 && !p.myReactions.length"), **ids)
    reactions = await host.follow(
        "sdk.ReactionRepository.getReactions({ referenceType: 'post', referenceId: a.id }, told)", **ids
    )
    await host.until(reactions, "!s.loading && s.data.length === 1 && s.data[0].userId === a.who", who=viewer.user_id)
    await viewer.run("await sdk.ReactionRepository.removeReaction('post', a.id, 'like')", **ids)
    await host.until(own, found.format("!p.reactions.like"), **ids)
    await viewer.run("await sdk.PostRepository.flagPost(a.id, 'Spam or scams')", **ids)
    assert await viewer.run("return await sdk.PostRepository.isPostFlaggedByMe(a.id)", **ids) is True
    flagged = await host.follow(FEED, id=made, query={"hasFlag": True})
    await host.until(flagged, "!s.loading && s.data.length === 1")
    await viewer.run("await sdk.PostRepository.unflagPost(a.id)", **ids)
    assert await viewer.run("return await sdk.PostRepository.isPostFlaggedByMe(a.id)", **ids) is False

    for call in (
        "PostRepository.semanticSearchPosts({ query: 'second words' }",
        "PostRepository.searchPostsByHashtag({ hashtags: ['making'], targetType: 'community' }",
        "FeedRepository.getGlobalFeed({}",
        "FeedRepository.getUserFeed({ userId: a.who, feedSources: ['user', 'community'] }",
        "PostRepository.getPosts({ targetType: 'community', targetId: a.community, tags: ['news'] }",
    ):
        listed = await viewer.follow(f"sdk.{call}, told)", who=host.user_id, community=made)
        await viewer.until(listed, f"!s.loading && {found.format('true')}", **ids)
    # The SDK filters what it was given once more: the service's own answer is looked at.
    for query in ("tags[]=other", "hasFlag=true", "dataTypes[]=image&matchingOnlyParentPost=true"):
        listed = await viewer.http("GET", f"/api/v5/posts?targetType=community&targetId={made}&{query}")
        assert listed["posts"] == [], query
    pins = await viewer.follow("sdk.PostRepository.getPinnedPosts({ communityId: a.id }, told)", id=made)
    await viewer.until(pins, "!s.loading && s.data.length === 0")

    await host.run("await sdk.PostRepository.softDeletePost(a.id)", **ids)
    await viewer.until(feed, "s.data.every((p) => p.postId !== a.id) || undefined", **ids)
    for deleted, wanted in (("false", []), ("null", [post["postId"]])):
        left = await viewer.http("GET", f"/api/v5/posts?targetType=community&targetId={made}&isDeleted={deleted}")
        assert [each["postId"] for each in left["posts"]] == wanted
    other = await host.http(
        "POST", "/api/v4/posts", {"targetType": "community", "targetId": made, "data": {"text": "x"}}
    )
    await host.run("await sdk.PostRepository.hardDeletePost(a.id)", id=other["posts"][0]["postId"])
    left = await viewer.http("GET", f"/api/v5/posts?targetType=community&targetId={made}")
    assert [each["postId"] for each in left["posts"]] == [post["postId"]], "what was deleted for good is nowhere"


async def test_posts_carry_images_files_and_polls(host: SdkClient, viewer: SdkClient) -> None:
    made = await community(host, viewer)
    await host.run(
        """
        const canvas = Object.assign(document.createElement("canvas"), { width: 8, height: 8 });
        const image = new FormData();
        image.append("files", await new Promise((done) => canvas.toBlob(done, "image/png")), "dot.png");
        const { data: [picture] } = await sdk.FileRepository.uploadImage(image);
        const plain = new FormData();
        plain.append("files", new Blob(["words"]), "words.txt");
        const { data: [file] } = await sdk.FileRepository.uploadFile(plain);
        const target = { targetType: "community", targetId: a.id };
        await sdk.PostRepository.createPost({ ...target, data: { text: "Look" }, dataType: "image",
            attachments: [{ type: "image", fileId: picture.fileId }] });
        await sdk.PostRepository.createPost({ ...target, data: { text: "Read" }, dataType: "file",
            attachments: [{ type: "file", fileId: file.fileId }] });
        const { data: poll } = await sdk.PollRepository.createPoll({ question: "Tea?", answerType: "single",
            answers: [{ dataType: "text", data: "Yes" }, { dataType: "text", data: "No" }], closedIn: 86400000 });
        await sdk.PostRepository.createPost(
            { ...target, dataType: "poll", data: { text: "Vote", pollId: poll.pollId } });
        """,
        id=made,
    )
    feed = await viewer.follow(FEED, id=made, query={})
    parts = await viewer.until(
        feed, "!s.loading && s.data.length === 3 && s.data.map((p) => p.childrenPosts?.[0]?.dataType)"
    )
    assert parts == ["poll", "file", "image"]
    for kind in ("image", "file", "poll"):
        of_kind = await viewer.follow(FEED, id=made, query={"dataTypes": [kind, "video", "audio", "clip", "room"]})
        await viewer.until(of_kind, "!s.loading && s.data.length === 1 && s.data[0].dataType === a.kind", kind=kind)
    pictured = "followed[a.feed].snapshot.data.find((p) => p.childrenPosts[0].dataType === 'image')"
    url = await viewer.run(f"return {pictured}.childrenPosts[0].getImageInfo().fileUrl", feed=feed)
    assert url.startswith(viewer.sandbox.url)
    polled = "followed[a.feed].snapshot.data.find((p) => p.childrenPosts[0].dataType === 'poll').childrenPosts[0]"
    counted = await host.hear("sdk.PollRepository.onPollUpdated(told)")
    voted = await viewer.run(
        f"const poll = {polled}.getPollInfo(); await sdk.PollRepository.votePoll(poll.pollId, [poll.answers[0].id]);"
        "return poll.pollId",
        feed=feed,
    )
    await host.heard(counted, "e.pollId === a.id && e.answers[0].voteCount === 1", id=voted)
    told = (await host.http("GET", f"/api/v3/polls/{voted}"))["polls"][0]
    assert [(answer["data"], answer["voteCount"], answer["isVotedByUser"]) for answer in told["answers"]] == [
        ("Yes", 1, False),
        ("No", 0, False),
    ]
    await viewer.run("await sdk.PollRepository.unvotePoll(a.id)", id=voted)
    await host.heard(counted, "e.pollId === a.id && e.answers[0].voteCount === 0", id=voted)
    await host.run("await sdk.PollRepository.closePoll(a.id)", id=voted)
    refused = await viewer.run(
        "try { await sdk.PollRepository.unvotePoll(a.id) } catch (error) { return error.code }", id=voted
    )
    assert refused == 400000
    gone = await viewer.hear("sdk.PollRepository.onPollDeleted(told)")
    await host.run("await sdk.PollRepository.deletePoll(a.id)", id=voted)
    await viewer.heard(gone, "e.pollId === a.id && e.isDeleted", id=voted)


async def test_posts_wait_for_a_moderator(host: SdkClient, viewer: SdkClient) -> None:
    made = await community(host, viewer, postSetting="ADMIN_REVIEW_POST_REQUIRED")
    create = """
    const { data } = await sdk.PostRepository.createPost(
        { targetType: "community", targetId: a.id, data: { text: a.text } });
    return [data.postId, data.feedType];
    """
    good, kind = await viewer.run(create, id=made, text="Good")
    assert kind == "reviewing"
    bad, _ = await viewer.run(create, id=made, text="Bad")
    closed = await community(host, viewer, postSetting="ONLY_ADMIN_CAN_POST")
    refused = await viewer.run(f"try {{ {create} }} catch (error) {{ return error.code }}", id=closed, text="No")
    assert refused == 400301
    waiting = await host.follow(FEED, id=made, query={"feedType": "reviewing"})
    await host.until(waiting, "!s.loading && s.data.length === 2")
    heard = await viewer.hear("sdk.PostRepository.onPostApproved(told)")
    await host.run("await sdk.PostRepository.approvePost(a.id)", id=good)
    await viewer.heard(heard, "e.postId === a.id && e.feedType === 'published'", id=good)
    await host.run("await sdk.PostRepository.declinePost(a.id)", id=bad)
    shown = await viewer.http("GET", f"/api/v5/posts?targetType=community&targetId={made}")
    assert [post["postId"] for post in shown["posts"]] == [good]


async def test_comments_and_replies_reach_the_other_client(host: SdkClient, viewer: SdkClient) -> None:
    made = await community(host, viewer)
    post = await host.run(
        "return (await sdk.PostRepository.createPost({ targetType: 'community', targetId: a.id,"
        " data: { text: 'Say something' } })).data.postId",
        id=made,
    )
    comments = "sdk.CommentRepository.getComments({ referenceType: 'post', referenceId: a.post, ...a.query }, told)"
    seen = await host.follow(comments, post=post, query={})
    await host.until(seen, "!s.loading && s.data.length === 0")
    say = """
    return (await sdk.CommentRepository.createComment(
        { referenceType: "post", referenceId: a.post, data: { text: a.text }, parentId: a.parent })).data.commentId;
    """
    first = await viewer.run(say, post=post, text="Something", parent=None)
    await host.until(
        seen, "s.data.find((c) => c.commentId === a.id && c.creator.userId === a.who)", id=first, who=viewer.user_id
    )
    reply = await host.run(say, post=post, text="Thanks", parent=first)
    own = await viewer.follow(comments, post=post, query={})
    await viewer.until(own, "s.data.find((c) => c.commentId === a.id && c.childrenNumber === 1)", id=first)
    replies = await viewer.follow(comments, post=post, query={"parentId": first})
    await viewer.until(replies, "!s.loading && s.data.length === 1 && s.data[0].commentId === a.id", id=reply)
    await viewer.run("await sdk.CommentRepository.updateComment(a.id, { data: { text: 'Anything' } })", id=first)
    await host.until(seen, "s.data.find((c) => c.commentId === a.id && c.data.text === 'Anything')", id=first)
    await host.run("await sdk.ReactionRepository.addReaction('comment', a.id, 'love')", id=first)
    await viewer.until(own, "s.data.find((c) => c.commentId === a.id && c.reactions.love === 1)", id=first)
    await host.run("await sdk.CommentRepository.flagComment(a.id)", id=first)
    assert await host.run("return await sdk.CommentRepository.isCommentFlaggedByMe(a.id)", id=first) is True
    told = (await viewer.http("GET", f"/api/v3/posts/{post}"))["posts"][0]
    assert (told["commentsCount"], told["comments"]) == (2, [first])
    for query, wanted in (
        ({"hasFlag": True}, [first]),
        ({"dataTypes": {"values": ["text"], "matchType": "exact"}}, [first]),
        ({"dataTypes": {"values": ["image"], "matchType": "any"}}, []),
    ):
        found = await viewer.follow(comments, post=post, query=query)
        assert await viewer.until(found, "!s.loading && s.data.map((c) => c.commentId)") == wanted, query
    # The SDK filters once more: what the service itself sent.
    asked = f"/api/v3/comments?referenceType=post&referenceId={post}&dataTypes[matchType]=any&dataTypes[values][]="
    for kind, wanted in (("text", [first]), ("image", [])):
        assert [each["commentId"] for each in (await viewer.http("GET", asked + kind))["comments"]] == wanted, kind
    await viewer.run("await sdk.CommentRepository.softDeleteComment(a.id)", id=first)
    await host.until(seen, "s.data.every((c) => c.commentId !== a.id || c.isDeleted) || undefined", id=first)
    assert (await viewer.http("GET", f"/api/v3/posts/{post}"))["posts"][0]["commentsCount"] == 0
    kept = await host.follow(comments, post=post, query={"includeDeleted": True})
    await host.until(kept, "!s.loading && s.data.find((c) => c.commentId === a.id && c.isDeleted)", id=first)
    await viewer.run("await sdk.CommentRepository.hardDeleteComment(a.id)", id=first)
    left = await host.http("GET", f"/api/v3/comments?referenceType=post&referenceId={post}")
    assert left["comments"] == [], "what was deleted for good is nowhere"


async def test_what_others_do_is_in_the_tray(host: SdkClient, viewer: SdkClient) -> None:
    await asyncio.gather(*(each.run("await sdk.notificationTray.getNotificationTraySeen") for each in (host, viewer)))
    place = await community(viewer, host)
    post = await viewer.run(
        "return (await sdk.PostRepository.createPost({ targetType: 'community', targetId: a.place,"
        " data: { text: 'Mine' } })).data.postId",
        place=place,
    )
    done = await host.run(
        """
        const of = (data) => ({ referenceType: "post", referenceId: a.post, data });
        await sdk.ReactionRepository.addReaction("post", a.post, "like");
        const { data: comment } = await sdk.CommentRepository.createComment(of({ text: "A comment" }));
        await sdk.PostRepository.createPost({ targetType: "community", targetId: a.place, data: { text: "You!" },
            mentionees: [{ type: "user", userIds: [a.who] }] });
        await sdk.UserRepository.Relationship.follow(a.who);
        const { data: room } = await sdk.RoomRepository.createRoom({ title: "Come up", type: "coHosts" });
        await new Promise((made) => sdk.RoomRepository.getRoom(room.roomId,
            (s) => !s.loading && s.data.createInvitation(a.who).then(made)));
        const { data: event } = await sdk.EventRepository.createEvent({ title: "Later", type: "virtual",
            startTime: new Date(Date.now() + 86400000).toISOString(), originType: "community", originId: a.place });
        return { comment: comment.commentId, room: room.roomId, event: event.eventId };
        """,
        post=post,
        place=place,
        who=viewer.user_id,
    )
    reply = await viewer.run(
        "return (await sdk.CommentRepository.createComment({ referenceType: 'post', referenceId: a.post,"
        " parentId: a.comment, data: { text: 'Thanks' } })).data.commentId",
        post=post,
        **done,
    )
    await host.run("await sdk.ReactionRepository.addReaction('comment', a.reply, 'like')", reply=reply)

    tray = await viewer.follow("sdk.notificationTray.getNotificationTrayItems({ limit: 20 }, told)")
    await viewer.until(tray, "!s.loading && s.data.filter((i) => i.users.length === 1).length >= 7")
    item = "s.data.find((i) => i.trayItemCategory === a.category)"
    for category, opens in (
        ("reaction_on_post", {"actionReferenceId": post}),
        ("reaction_on_reply", {"referenceId": post, "latestCommentId": reply, "parentId": done["comment"]}),
        ("follow", {"targetId": viewer.user_id}),
        ("room_cohost_invite", {"targetId": done["room"]}),
        ("event_created", {"actionReferenceId": done["event"]}),
    ):
        found = await viewer.until(tray, item, category=category)
        assert {name: found[name] for name in opens} == opens, category
    assert (await viewer.until(tray, f"{item}.event.title", category="event_created")) == "Later"
    assert (await viewer.until(tray, item, category="mention_in_post"))["actionReferenceId"] != post
    commented = await viewer.until(tray, "s.data.find((i) => i.actionType === 'comment')")
    assert (commented["referenceId"], commented["actionReferenceId"]) == (post, done["comment"])
    told_of_reply = await host.follow("sdk.notificationTray.getNotificationTrayItems({ limit: 20 }, told)")
    await host.until(told_of_reply, "!s.loading && s.data.find((i) => i.latestCommentId === a.reply)", reply=reply)

    await viewer.run("await sdk.notificationTray.markTraySeen(new Date().toISOString())")
    told = await viewer.http("GET", "/api/v1/notification-tray/tray/seen")
    assert told["lastTraySeenAt"] >= told["lastTrayOccurredAt"]


async def test_a_post_counts_who_sees_it(host: SdkClient, viewer: SdkClient) -> None:
    place = await community(host, viewer)
    post = await host.run(
        "return (await sdk.PostRepository.createPost({ targetType: 'community', targetId: a.place,"
        " data: { text: 'Look' } })).data.postId",
        place=place,
    )
    # What `post.analytics().markAsViewed()` sends once a minute.
    seen = {"activities": [{"contentId": post, "contentType": "post", "activityType": "view"}] * 2}
    for client in (viewer, host, viewer):
        await client.http("POST", "/api/v1/analytics/activities", seen)
    record = (await viewer.http("GET", f"/api/v3/posts/{post}"))["posts"][0]
    counts = [record["impression"], record["reach"]]
    assert counts == [6, 2]
    reached = await host.follow(
        "sdk.UserRepository.getReachedUsers({ viewId: a.id, viewedType: 'post' }, told)", id=post
    )
    people = await host.until(reached, "!s.loading && s.data.length >= 2 && s.data.map((u) => u.userId)")
    assert sorted(people) == sorted([host.user_id, viewer.user_id])


async def test_events_are_announced_and_answered(host: SdkClient, viewer: SdkClient) -> None:
    place = await community(host, viewer)
    listed = await viewer.follow(
        "sdk.EventRepository.getEvents({ originType: 'community', originId: a.place, status: 'scheduled' }, told)",
        place=place,
    )
    await viewer.until(listed, "!s.loading && s.data.length === 0")
    heard = await viewer.hear("sdk.EventRepository.onEventCreated(told)")
    event = await host.run(
        """
        const { data } = await sdk.EventRepository.createEvent({ title: "Concert", description: "All welcome",
            type: "in_person", location: "Town hall", tags: ["music"], metadata: { timezone: "UTC" },
            startTime: new Date(Date.now() + 86400000).toISOString(),
            endTime: new Date(Date.now() + 90000000).toISOString(), originType: "community", originId: a.place });
        return data.eventId;
        """,
        place=place,
    )
    await viewer.heard(heard, "e.eventId === a.id", id=event)
    seen = await viewer.until(listed, "s.data[0]?.creator && s.data[0].targetCommunity && s.data[0]")
    assert (seen["eventId"], seen["title"], seen["location"], seen["status"]) == (
        event,
        "Concert",
        "Town hall",
        "scheduled",
    )
    live = await viewer.follow("sdk.EventRepository.getEvent(a.id, told)", id=event)
    await viewer.until(live, "!s.loading && s.data.eventId === a.id", id=event)
    await host.run("await sdk.EventRepository.updateEvent(a.id, { title: 'Recital' })", id=event)
    await viewer.until(live, "s.data.title === 'Recital'")

    counted = await host.follow("sdk.EventRepository.getEvent(a.id, told)", id=event)
    await host.until(counted, "!s.loading && s.data.rsvpCount === 0")
    status = await viewer.run("return (await followed[a.live].snapshot.data.createRSVP('going')).status", live=live)
    assert status == "going"
    await host.until(counted, "s.data.rsvpCount === 1")
    assert await viewer.run("return (await followed[a.live].snapshot.data.getMyRSVP()).status", live=live) == "going"
    coming = await host.follow(
        "sdk.EventRepository.getEvent(a.id, (s) => !s.loading && s.data.getRSVPs({ status: 'going' }, told))", id=event
    )
    await host.until(coming, "!s.loading && s.data.length === 1 && s.data[0].user.userId === a.who", who=viewer.user_id)
    mine = await viewer.follow("sdk.EventRepository.getMyEvents({ status: 'going' }, told)")
    await viewer.until(mine, "!s.loading && s.data.find((e) => e.eventId === a.id && e.rsvpCount === 1)", id=event)
    await viewer.run("await followed[a.live].snapshot.data.updateRSVP('not_going')", live=live)
    told = await host.http("GET", f"/api/v1/events/{event}")
    assert told["events"][0]["rsvpCount"] == 0
    await host.run("await sdk.EventRepository.deleteEvent(a.id)", id=event)
    await viewer.until(live, "s.data.isDeleted")
