"""Refusals in the service's words: one exception, one envelope (social.plus error codes)."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from spnb.sandbox.written import written

__all__ = ["Refused", "answer", "envelope"]


class Refused(Exception):
    """A request is refused; becomes `{status: "error", code, message, data}`.

    Args:
        status: HTTP status.
        code: social.plus's code, its leading digits the HTTP status's family.
        message: what is wrong and what to do.
        detail: goes into `data.detail`.
        headers: further headers of the answer, e.g. `Retry-After`.
    """

    def __init__(
        self, status: int, code: int, message: str, *, detail: Any = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.detail = detail
        self.headers = headers

    @classmethod
    def bad_request(cls, message: str) -> Refused:
        """400/400000: a rule is broken."""
        return cls(400, 400000, message)

    @classmethod
    def unauthorized(cls, message: str = "Unauthorized: log in again") -> Refused:
        """401/400100."""
        return cls(401, 400100, message)

    @classmethod
    def forbidden(cls, message: str, code: int = 400301) -> Refused:
        """403, 400301 (permission denied) unless another code fits better."""
        return cls(403, code, message)

    @classmethod
    def not_found(cls, what: str) -> Refused:
        """404/400400."""
        return cls(404, 400400, f"{what} was not found")

    @classmethod
    def invalid(cls, detail: list[str]) -> Refused:
        """422/500000: parameter validation failed."""
        return cls(422, 500000, "Parameters validation error", detail=detail)


def answer(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON response."""
    return Response(written(content), status_code=status, headers=headers, media_type="application/json")


def envelope(refused: Refused) -> Response:
    """The error response of a refusal."""
    data = {} if refused.detail is None else {"detail": refused.detail}
    return answer(
        {"status": "error", "code": refused.code, "message": refused.message, "data": data},
        refused.status,
        refused.headers,
    )
