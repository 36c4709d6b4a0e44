"""Users as the vendor's SDK uses them: what one does is seen by the other."""

from __future__ import annotations

from tests.vendor.clients import SdkClient


async def test_users_are_searched_followed_blocked_and_reported(host: SdkClient, viewer: SdkClient) -> None:
    await viewer.run(
        "await sdk.UserRepository.updateUser(a.who, { displayName: `Vera ${a.who}`, description: 'I watch' })",
        who=viewer.user_id,
    )
    who = {"who": viewer.user_id}
    found = await host.follow(
        "sdk.UserRepository.searchUserByDisplayName({ displayName: `vera ${a.who}` }, told)", **who
    )
    user = await host.until(found, "!s.loading && s.data.length === 1 && s.data[0]")
    assert (user["userId"], user["description"]) == (viewer.user_id, "I watch")
    relation = "await sdk.UserRepository.Relationship"
    heard = await viewer.hear("sdk.UserRepository.Relationship.onUserFollowed(told)")
    await viewer.run(
        "await new Promise((granted, failed) => sdk.subscribeTopic(sdk.getMyFollowersTopic(),"
        " (error) => (error ? failed(error) : granted())))"
    )
    await host.run(f"{relation}.follow(a.who)", **who)
    await viewer.heard(heard, "e.from === a.who && e.status === 'accepted'", who=host.user_id)
    info = await viewer.follow("sdk.UserRepository.Relationship.getFollowInfo(a.who, told)", **who)
    await viewer.until(info, "!s.loading && s.data.followerCount === 1")
    followers = await viewer.follow("sdk.UserRepository.Relationship.getFollowers({ userId: a.who }, told)", **who)
    await viewer.until(followers, "!s.loading && s.data.length === 1")
    await host.run(f"{relation}.unfollow(a.who)", **who)
    await host.run(f"{relation}.blockUser(a.who)", **who)
    blocked = await host.follow("sdk.UserRepository.getBlockedUsers({}, told)")
    await host.until(blocked, "!s.loading && s.data.length === 1")
    refused = await viewer.run(
        "try { await sdk.UserRepository.Relationship.follow(a.who) } catch (error) { return error.code }",
        who=host.user_id,
    )
    assert refused == 400301
    await host.run(f"{relation}.unBlockUser(a.who)", **who)
    assert await host.run("return await sdk.UserRepository.isUserFlaggedByMe(a.who)", **who) is False
    await host.run("await sdk.UserRepository.flagUser(a.who)", **who)
    assert await host.run("return await sdk.UserRepository.isUserFlaggedByMe(a.who)", **who) is True
    await host.run("await sdk.UserRepository.unflagUser(a.who)", **who)
