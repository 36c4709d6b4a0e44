"""Blocking twins of `spnb.client.social`: written by `python -m spnb.client.twin`, change that instead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypeVar

from spnb._loop import iterate, run
from spnb.client.social import AsyncCommunities, AsyncPosts
from spnb.client.sync.faces import each
from spnb.models import (
    Community,
    Post,
)

R = TypeVar("R")
Json = dict[str, Any]


class Posts:
    """Posts of feeds."""

    def __init__(self, twin: AsyncPosts) -> None:
        self._twin = twin

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
        """One post."""
        return run(self._twin.get(post_id))

    def query(
        self, target_id: str, *, target_type: Literal["community", "user"] = "community", page_size: int = 20
    ) -> Iterator[Post]:
        """Posts of a community or user, newest first.

        Args:
            target_id: the community's or user's id.
            page_size: posts per request, 1 to 100.
        """
        return each(iterate(self._twin.query(target_id, target_type=target_type, page_size=page_size)))

    def update(
        self,
        post_id: str,
        *,
        text: str | None = None,
        title: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        tags: Sequence[str] | None = None,
    ) -> Post:
        """Change text, title, metadata or tags of your post."""
        return run(self._twin.update(post_id, text=text, title=title, metadata=metadata, tags=tags))

    def delete(self, post_id: str) -> None:
        """Delete your post; the room it carried stays."""
        run(self._twin.delete(post_id))

    def flag(self, post_id: str) -> None:
        """Report a post."""
        run(self._twin.flag(post_id))

    def unflag(self, post_id: str) -> None:
        """Take your report back."""
        run(self._twin.unflag(post_id))


class Communities:
    """Communities."""

    def __init__(self, twin: AsyncCommunities) -> None:
        self._twin = twin

    def create(
        self,
        name: str,
        *,
        description: str | None = None,
        public: bool = True,
        user_ids: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Community:
        """Create a community with you, and `user_ids`, as members."""
        return run(
            self._twin.create(name, description=description, public=public, user_ids=user_ids, metadata=metadata)
        )

    def get(self, community_id: str) -> Community:
        """One community."""
        return run(self._twin.get(community_id))

    def query(
        self,
        *,
        keyword: str | None = None,
        membership: Literal["all", "member", "notMember"] = "all",
        page_size: int = 20,
    ) -> Iterator[Community]:
        """Communities, newest first.

        Args:
            keyword: part of the name.
            membership: `member` for those you belong to.
            page_size: communities per request, 1 to 100.
        """
        return each(iterate(self._twin.query(keyword=keyword, membership=membership, page_size=page_size)))

    def join(self, community_id: str) -> Community:
        """Become a member."""
        return run(self._twin.join(community_id))

    def leave(self, community_id: str) -> None:
        """Stop being a member."""
        run(self._twin.leave(community_id))
