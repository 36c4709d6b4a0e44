"""Which requests are sent again, how often, and after how long."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    wait_exponential_jitter,
)

from spnb.errors import ClientClosed, RateLimited, ServerFault, Unreachable

__all__ = ["Retries"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Retries:
    """How a failing request is repeated: with pauses that double, or after as long as a rate limit asks.

    Args:
        attempts: how often it is sent at most.
        seconds: how long it is tried at most; a rate limit that asks for more is told at once.
        first, longest, jitter: seconds of the first pause, of the longest, and of the chance added to each.
    """

    attempts: int = 5
    seconds: float = 45.0
    first: float = 0.2
    longest: float = 8.0
    jitter: float = 0.5

    def of(self, doing: str, *, repeatable: bool) -> AsyncRetrying:
        """The attempts of one request.

        Args:
            doing: what the request does, for the log.
            repeatable: whether doing it twice does no harm. A request the service refused for its rate was not done, so
                it is repeated all the same, as is one that was surely never sent.
        """
        growing = wait_exponential_jitter(multiplier=self.first, max=self.longest, jitter=self.jitter)

        def again(error: BaseException) -> bool:
            if isinstance(error, RateLimited):
                return error.retry_after is None or error.retry_after <= self.seconds
            if isinstance(error, ClientClosed):
                return False
            if isinstance(error, Unreachable) and not error.sent:
                return True
            return repeatable and isinstance(error, (ServerFault, Unreachable))

        def pause(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            if isinstance(error, RateLimited) and error.retry_after is not None:
                return error.retry_after
            return growing(state)

        def tell(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            log.info("%s: %s; again in %.2f s", doing, type(error).__name__, state.upcoming_sleep)

        return AsyncRetrying(
            retry=retry_if_exception(again),
            stop=stop_after_attempt(self.attempts) | stop_after_delay(self.seconds),
            wait=pause,
            before_sleep=tell,
            reraise=True,
        )
