"""How a sandbox proves that it knows its key, without telling it: an answer to a challenge, bound to its own port.

Bound to the port, the answer cannot be fetched from the true sandbox by whoever sits on another one.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from urllib.parse import urlsplit

__all__ = ["PATH", "challenge", "is_challenge", "proof"]

PATH = "/sandbox/proof"
CHALLENGE = re.compile(r"[0-9a-f]{32}")


def challenge() -> str:
    """A fresh challenge."""
    return secrets.token_hex(16)


def is_challenge(text: str) -> bool:
    """Whether a text is one."""
    return CHALLENGE.fullmatch(text) is not None


def proof(api_key: str, asked: str, url: str) -> str:
    """The answer of the sandbox at `url` to a challenge."""
    said = f"spnb sandbox\n{urlsplit(url).port}\n{asked}"
    return hmac.new(api_key.encode(), said.encode(), hashlib.sha256).hexdigest()
