"""Posts and communities."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal

from spnb._loop import Flattened, on_loop
from spnb.client.audience import wire_time
from spnb.client.resource import Resource, checked_text, create_once, fresh_key, part, with_key
from spnb.models import Community, Post, User

__all__ = ["AsyncCommunities", "AsyncPosts"]

Json = dict[str, Any]


class AsyncPosts(Resource):
    """Posts of feeds."""

    @on_loop
    async def create_room_post(
        self,
        room_id: str,
        *,
        community_id: str | None = None,
        text: str | None = None,
        title: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        tags: Sequence[str] | None = None,
        product_ids: Sequence[str] | None = None,
    ) -> Post:
        """Publish your room as a livestream post.

        social.plus: `PostRepository.createRoomPost`.

        A media post is a parent with a child that carries the room; the parent is returned, its `children` name the
        child (products are tagged on that one).

        Args:
            community_id: the community to post in, of which you are a member; your own feed without it.
            text: at most 50 000 characters.
            title: at most 150 characters.
            tags: at most 5.
            product_ids: products to tag, at most 20.

        Raises:
            NotFound: no such community, room or product.
            Forbidden: you are no member, or it is somebody else's room.
        """
        checked_text("text", text, 50_000)
        checked_text("title", title, 150)
        key = fresh_key()
        user = await self._session.login() if self._session.user is None else self._session.user
        data: Json = {"roomId": room_id}
        if text is not None:
            data["text"] = text
        if title is not None:
            data["title"] = title
        target_type, target_id = ("community", community_id) if community_id else ("user", user.user_id)
        body: Json = {
            "targetType": target_type,
            "targetId": target_id,
            "dataType": "room",
            "data": data,
            "metadata": with_key(metadata, key),
        }
        if tags:
            body["tags"] = list(tags)
        if product_ids:
            body["productTags"] = [{"productId": product_id} for product_id in dict.fromkeys(product_ids)]

        async def create() -> Post:
            return _first(await self._post("/api/v4/posts", "publish the post", body))

        async def find() -> Post | None:
            async for page in self._feed(target_id, target_type, 20).lists:
                return next((post for post in page if post.key == key), None)
            return None

        return await create_once(create, find)

    @on_loop
    async def get(self, post_id: str) -> Post:
        """One post. social.plus: `PostRepository.getPost`."""
        return _first(await self._get(f"/api/v3/posts/{part(post_id)}", "read the post"))

    def query(
        self, target_id: str, *, target_type: Literal["community", "user"] = "community", page_size: int = 20
    ) -> AsyncIterator[Post]:
        """Posts of a community or user, newest first.

        social.plus: `PostRepository.getPosts`.

        Args:
            target_id: the community's or user's id.
            page_size: posts per request, 1 to 100.
        """
        return self._feed(target_id, target_type, page_size)

    def _feed(self, target_id: str, target_type: str, page_size: int) -> Flattened[Post]:
        return self._listed(
            lambda page: Post.many(page.get("posts")),
            "/api/v5/posts",
            "read the feed",
            page_size=page_size,
            targetId=target_id,
            targetType=target_type,
            sortBy="lastCreated",
            isDeleted=False,
        )

    @on_loop
    async def update(
        self,
        post_id: str,
        *,
        text: str | None = None,
        title: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        tags: Sequence[str] | None = None,
    ) -> Post:
        """Change text, title, metadata or tags of your post. social.plus: `PostRepository.editPost`."""
        checked_text("text", text, 50_000)
        checked_text("title", title, 150)
        body: Json = {}
        data = {name: value for name, value in (("text", text), ("title", title)) if value is not None}
        if data:
            body["data"] = data
        if metadata is not None:
            key = (await self.get(post_id)).key
            body["metadata"] = dict(metadata) if key is None else with_key(metadata, key)
        if tags is not None:
            body["tags"] = list(tags)
        return _first(await self._put(f"/api/v4/posts/{part(post_id)}", "change the post", body))

    @on_loop
    async def delete(self, post_id: str) -> None:
        """Delete your post; the room it carried stays.

        social.plus: `PostRepository.deletePost`, `PostRepository.softDeletePost`.
        """
        await self._gone(f"/api/v4/posts/{part(post_id)}", "delete the post")

    @on_loop
    async def flag(self, post_id: str) -> None:
        """Report a post. social.plus: `PostRepository.flagPost`."""
        await self._post(f"/api/v3/posts/{part(post_id)}/flag", "report the post", {}, repeatable=True)

    @on_loop
    async def unflag(self, post_id: str) -> None:
        """Take your report back. social.plus: `PostRepository.unflagPost`."""
        await self._gone(f"/api/v3/posts/{part(post_id)}/unflag", "take the report back")

    def reached(self, post_id: str, *, page_size: int = 20) -> AsyncIterator[User]:
        """Who saw a post, by the views that were reported. social.plus: `UserRepository.getReachedUsers`.

        Banned and deleted users are left out; of a deleted post its author alone may ask.

        Args:
            post_id: the post, as feeds show it.
            page_size: users per request, 1 to 100.
        """
        path = f"/api/v1/analytics/views/posts/{part(post_id)}/users"
        return self._listed(
            lambda page: User.many(page.get("users")), path, "read who saw the post", page_size=page_size
        )

    @on_loop
    async def mark_viewed(self, post_id: str) -> None:
        """Report that you saw a post; it counts for its `impression` and `reach`. social.plus:
        `post.analytics.markAsViewed`."""
        view = {"contentId": post_id, "contentType": "post", "activityType": "view"}
        activity = {**view, "timestamp": wire_time(self._session.clock.now()), "metadata": {}}
        await self._post("/api/v1/analytics/activities", "report that the post was seen", {"activities": [activity]})


class AsyncCommunities(Resource):
    """Communities."""

    @on_loop
    async def create(
        self,
        name: str,
        *,
        description: str | None = None,
        public: bool = True,
        user_ids: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Community:
        """Create a community with you, and `user_ids`, as members.

        social.plus: `CommunityRepository.createCommunity`.
        """
        checked_text("name", name, 1000, required=True)
        checked_text("description", description, 5000)
        key = fresh_key()
        body: Json = {"displayName": name, "isPublic": public, "metadata": with_key(metadata, key)}
        if description is not None:
            body["description"] = description
        if user_ids:
            body["userIds"] = list(user_ids)

        async def create() -> Community:
            return _community(await self._post("/api/v3/communities", "create the community", body))

        async def find() -> Community | None:
            answer = await self._get(
                "/api/v3/communities", "find the community", sortBy="lastCreated", options={"limit": 50}
            )
            found = Community.many(answer.get("communities"))
            return next((community for community in found if community.key == key), None)

        return await create_once(create, find)

    @on_loop
    async def get(self, community_id: str) -> Community:
        """One community. social.plus: `CommunityRepository.getCommunity`."""
        return _community(await self._get(f"/api/v3/communities/{part(community_id)}", "read the community"))

    def query(
        self,
        *,
        keyword: str | None = None,
        membership: Literal["all", "member", "notMember"] = "all",
        page_size: int = 20,
    ) -> AsyncIterator[Community]:
        """Communities, newest first.

        social.plus: `CommunityRepository.getCommunities`.

        Args:
            keyword: part of the name.
            membership: `member` for those you belong to.
            page_size: communities per request, 1 to 100.
        """
        return self._listed(
            lambda page: Community.many(page.get("communities")),
            "/api/v3/communities",
            "list communities",
            page_size=page_size,
            keyword=keyword,
            filter=membership,
            sortBy="lastCreated",
            isDeleted=False,
        )

    @on_loop
    async def join(self, community_id: str) -> Community:
        """Become a member. social.plus: `CommunityRepository.joinCommunity`."""
        path = f"/api/v3/communities/{part(community_id)}/join"
        return _community(await self._post(path, "join the community", {}, repeatable=True))

    @on_loop
    async def leave(self, community_id: str) -> None:
        """Stop being a member. social.plus: `CommunityRepository.leaveCommunity`."""
        await self._gone(f"/api/v3/communities/{part(community_id)}/leave", "leave the community")


def _first(answer: Json) -> Post:
    return Post.model_validate(answer["posts"][0])


def _community(answer: Json) -> Community:
    return Community.model_validate(answer["communities"][0])
