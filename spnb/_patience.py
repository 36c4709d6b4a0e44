"""How a sandbox is asked, one rule for all that do: how long an answer is waited for, and without TLS.

A server on this machine that has gone says so at once: its connections are refused, or break. One that keeps silent is
alive and slow, as everything is on a machine of one core (Binder's) that starts kernels and draws pages. So silence is
taken for an end only after far longer than work could last.
"""

from __future__ import annotations

import ssl
from functools import cache

from spnb.config import is_loopback

__all__ = ["ELSEWHERE", "ON_THIS_MACHINE", "no_tls", "patience"]

ON_THIS_MACHINE, ELSEWHERE = 120.0, 10.0
"""Seconds."""


def patience(url: str) -> float:
    """Seconds that a server's answer is waited for.

    Args:
        url: where it is.
    """
    return ON_THIS_MACHINE if is_loopback(url) else ELSEWHERE


@cache
def no_tls() -> ssl.SSLContext:
    """Whom `httpx` is to believe where nothing goes by TLS: nobody. Authorities take 50 ms to load, for each client."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
