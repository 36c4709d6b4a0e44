"""How long an answer is waited for: one rule for all that ask a sandbox.

A server on this machine that has gone says so at once: its connections are refused, or break. One that keeps silent is
alive and slow, as everything is on a machine of one core (Binder's) that starts kernels and draws pages. So silence is
taken for an end only after far longer than work could last.
"""

from __future__ import annotations

from spnb.config import is_loopback

__all__ = ["ELSEWHERE", "ON_THIS_MACHINE", "patience"]

ON_THIS_MACHINE, ELSEWHERE = 120.0, 10.0
"""Seconds."""


def patience(url: str) -> float:
    """Seconds that a server's answer is waited for.

    Args:
        url: where it is.
    """
    return ON_THIS_MACHINE if is_loopback(url) else ELSEWHERE
