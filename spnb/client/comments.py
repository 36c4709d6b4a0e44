"""Comments on posts, and replies to them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from spnb._loop import Flattened, on_loop
from spnb.client.resource import Resource, checked_text, create_once, fresh_key, part, with_key
from spnb.models import Comment

__all__ = ["AsyncComments"]

Json = dict[str, Any]
TEXT_LIMIT = 50_000
BASE = "/api/v3/comments"


class AsyncComments(Resource):
    """Comments on posts."""

    @on_loop
    async def create(
        self, post_id: str, text: str, *, parent_id: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> Comment:
        """Comment on a post, or reply to a comment of it. social.plus: `CommentRepository.createComment`.

        Args:
            post_id: the post.
            text: 1 to 50 000 characters.
            parent_id: the comment it replies to.
            metadata: anything of yours.

        Raises:
            InvalidInput: the text is empty or too long.
            Forbidden: the post is a community's, and you are no member of it.
        """
        checked_text("text", text, TEXT_LIMIT, required=True)
        key = fresh_key()
        body: Json = {"referenceType": "post", "referenceId": post_id, "data": {"text": text}}
        body["metadata"] = with_key(metadata, key)
        if parent_id is not None:
            body["parentId"] = parent_id

        async def create() -> Comment:
            return _first(await self._post(BASE, "comment", body))

        async def find() -> Comment | None:
            async for page in self._newest(post_id, parent_id, 20).lists:
                return next((comment for comment in page if comment.key == key), None)
            return None

        return await create_once(create, find)

    def query(self, post_id: str, *, parent_id: str | None = None, page_size: int = 20) -> AsyncIterator[Comment]:
        """Comments on a post, newest first. social.plus: `CommentRepository.getComments`.

        Args:
            post_id: the post.
            parent_id: only replies to this comment.
            page_size: comments per request, 1 to 100.
        """
        return self._newest(post_id, parent_id, page_size)

    def _newest(self, post_id: str, parent_id: str | None, page_size: int) -> Flattened[Comment]:
        return self._listed(
            lambda page: Comment.many(page.get("comments")),
            BASE,
            "read the comments",
            page_size=page_size,
            referenceType="post",
            referenceId=post_id,
            parentId=parent_id,
            isDeleted=False,
            sortBy="lastCreated",
        )

    @on_loop
    async def get(self, comment_id: str) -> Comment:
        """One comment. social.plus: `CommentRepository.getComment`."""
        return _first(await self._get(f"{BASE}/{part(comment_id)}", "read the comment"))

    @on_loop
    async def update(self, comment_id: str, text: str) -> Comment:
        """Change the text of your comment. social.plus: `CommentRepository.updateComment`."""
        checked_text("text", text, TEXT_LIMIT, required=True)
        return _first(await self._put(f"{BASE}/{part(comment_id)}", "change the comment", {"data": {"text": text}}))

    @on_loop
    async def delete(self, comment_id: str) -> None:
        """Delete your comment with its replies, or as a moderator anybody's.

        social.plus: `CommentRepository.deleteComment`, `CommentRepository.softDeleteComment`.
        """
        await self._gone(f"/api/v4/comments/{part(comment_id)}", "delete the comment")

    @on_loop
    async def flag(self, comment_id: str) -> None:
        """Report a comment. social.plus: `CommentRepository.flagComment`."""
        await self._post(f"{BASE}/{part(comment_id)}/flag", "report the comment", {}, repeatable=True)

    @on_loop
    async def unflag(self, comment_id: str) -> None:
        """Take your report back. social.plus: `CommentRepository.unflagComment`."""
        await self._gone(f"{BASE}/{part(comment_id)}/unflag", "take the report back")


def _first(answer: Json) -> Comment:
    return Comment.model_validate(answer["comments"][0])
