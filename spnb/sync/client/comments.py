"""The blocking twins of `spnb.client.comments`.

Written by `uv run --group dev python -m tests.blocking`: change that module instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from spnb._faces import Face, Watch
from spnb._loop import run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from spnb.client.comments import AsyncComments
    from spnb.models import Comment


__all__ = ["Comments"]


class Comments(Face):
    """Comments on posts.

    The blocking twin of `AsyncComments`.
    """

    _twin: AsyncComments

    def create(
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
        return run(self._twin.create(post_id, text, parent_id=parent_id, metadata=metadata))

    def query(self, post_id: str, *, parent_id: str | None = None, page_size: int = 20) -> Watch[Comment]:
        """Comments on a post, newest first. social.plus: `CommentRepository.getComments`.

        Args:
            post_id: the post.
            parent_id: only replies to this comment.
            page_size: comments per request, 1 to 100.
        """
        return Watch(self._twin.query(post_id, parent_id=parent_id, page_size=page_size))

    def get(self, comment_id: str) -> Comment:
        """One comment. social.plus: `CommentRepository.getComment`."""
        return run(self._twin.get(comment_id))

    def update(self, comment_id: str, text: str) -> Comment:
        """Change the text of your comment. social.plus: `CommentRepository.updateComment`."""
        return run(self._twin.update(comment_id, text))

    def delete(self, comment_id: str) -> None:
        """Delete your comment with its replies, or as a moderator anybody's.

        social.plus: `CommentRepository.deleteComment`, `CommentRepository.softDeleteComment`.
        """
        run(self._twin.delete(comment_id))

    def flag(self, comment_id: str) -> None:
        """Report a comment. social.plus: `CommentRepository.flagComment`."""
        run(self._twin.flag(comment_id))

    def unflag(self, comment_id: str) -> None:
        """Take your report back. social.plus: `CommentRepository.unflagComment`."""
        run(self._twin.unflag(comment_id))

    @property
    def asynchronous(self) -> AsyncComments:
        """The async twin: the same object, to be awaited."""
        return self._twin
