"""The blocking twins of `spnb.client.social`.

Written by `uv run --group dev python -m tests.blocking`: change that module instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spnb._faces import Face, Watch
from spnb._loop import run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Literal

    from spnb.client.social import AsyncCommunities, AsyncPosts
    from spnb.models import Community, Post, User


__all__ = ["Communities", "Posts"]


class Posts(Face):
    """Posts of feeds.

    The blocking twin of `AsyncPosts`.
    """

    _twin: AsyncPosts

    def create_room_post(
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
        return run(
            self._twin.create_room_post(
                room_id,
                community_id=community_id,
                text=text,
                title=title,
                metadata=metadata,
                tags=tags,
                product_ids=product_ids,
            )
        )

    def get(self, post_id: str) -> Post:
        """One post. social.plus: `PostRepository.getPost`."""
        return run(self._twin.get(post_id))

    def query(
        self, target_id: str, *, target_type: Literal["community", "user"] = "community", page_size: int = 20
    ) -> Watch[Post]:
        """Posts of a community or user, newest first.

        social.plus: `PostRepository.getPosts`.

        Args:
            target_id: the community's or user's id.
            page_size: posts per request, 1 to 100.
        """
        return Watch(self._twin.query(target_id, target_type=target_type, page_size=page_size))

    def update(
        self,
        post_id: str,
        *,
        text: str | None = None,
        title: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        tags: Sequence[str] | None = None,
    ) -> Post:
        """Change text, title, metadata or tags of your post. social.plus: `PostRepository.editPost`."""
        return run(self._twin.update(post_id, text=text, title=title, metadata=metadata, tags=tags))

    def delete(self, post_id: str) -> None:
        """Delete your post; the room it carried stays.

        social.plus: `PostRepository.deletePost`, `PostRepository.softDeletePost`.
        """
        run(self._twin.delete(post_id))

    def flag(self, post_id: str) -> None:
        """Report a post. social.plus: `PostRepository.flagPost`."""
        run(self._twin.flag(post_id))

    def unflag(self, post_id: str) -> None:
        """Take your report back. social.plus: `PostRepository.unflagPost`."""
        run(self._twin.unflag(post_id))

    def reached(self, post_id: str, *, page_size: int = 20) -> Watch[User]:
        """Who saw a post, by the views that were reported. social.plus: `UserRepository.getReachedUsers`.

        Banned and deleted users are left out; of a deleted post its author alone may ask.

        Args:
            post_id: the post, as feeds show it.
            page_size: users per request, 1 to 100.
        """
        return Watch(self._twin.reached(post_id, page_size=page_size))

    def mark_viewed(self, post_id: str) -> None:
        """Report that you saw a post; it counts for its `impression` and `reach`. social.plus:
        `post.analytics.markAsViewed`.
        """
        run(self._twin.mark_viewed(post_id))

    @property
    def asynchronous(self) -> AsyncPosts:
        """The async twin: the same object, to be awaited."""
        return self._twin


class Communities(Face):
    """Communities.

    The blocking twin of `AsyncCommunities`.
    """

    _twin: AsyncCommunities

    def create(
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
        return run(
            self._twin.create(name, description=description, public=public, user_ids=user_ids, metadata=metadata)
        )

    def get(self, community_id: str) -> Community:
        """One community. social.plus: `CommunityRepository.getCommunity`."""
        return run(self._twin.get(community_id))

    def query(
        self,
        *,
        keyword: str | None = None,
        membership: Literal["all", "member", "notMember"] = "all",
        page_size: int = 20,
    ) -> Watch[Community]:
        """Communities, newest first.

        social.plus: `CommunityRepository.getCommunities`.

        Args:
            keyword: part of the name.
            membership: `member` for those you belong to.
            page_size: communities per request, 1 to 100.
        """
        return Watch(self._twin.query(keyword=keyword, membership=membership, page_size=page_size))

    def join(self, community_id: str) -> Community:
        """Become a member. social.plus: `CommunityRepository.joinCommunity`."""
        return run(self._twin.join(community_id))

    def leave(self, community_id: str) -> None:
        """Stop being a member. social.plus: `CommunityRepository.leaveCommunity`."""
        run(self._twin.leave(community_id))

    @property
    def asynchronous(self) -> AsyncCommunities:
        """The async twin: the same object, to be awaited."""
        return self._twin
