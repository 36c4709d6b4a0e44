"""Watch sessions are signed: RSA-SHA256 over one line of text that nonce, time and sessions make (social.plus SDKs)."""

from __future__ import annotations

import base64
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spnb.config import WatchKey
from spnb.errors import ConfigError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

__all__ = ["private_key", "signed", "text_to_sign", "throwaway"]


def text_to_sign(nonce: str, timestamp: str, rooms: Sequence[dict[str, Any]]) -> str:
    """What the signature is made over: of each session its fields by name, as in an address; `;` between sessions.

    Args:
        nonce: used once.
        timestamp: as it is sent.
        rooms: the sessions as they are sent.
    """
    data = ";".join("&".join(f"{name}={room[name]}" for name in sorted(room)) for room in rooms)
    # The service's SDKs end it with two of these, whatever its length.
    return f"nonceStr={nonce}&timestamp={timestamp}&data={data}=="


def signed(key: WatchKey, text: str) -> str:
    """The signature of a text: RSASSA-PKCS1-v1_5 with SHA-256, in base64.

    Raises:
        ConfigError: the key is none.
    """
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    return base64.b64encode(private_key(key).sign(text.encode(), PKCS1v15(), SHA256())).decode()


def private_key(key: WatchKey) -> RSAPrivateKey:
    """The RSA key that is meant.

    Raises:
        ConfigError: there is none; the message does not repeat what was given.
    """
    text = key() if callable(key) else key
    if isinstance(text, Path) or "-----BEGIN" not in text:
        try:
            text = Path(text).expanduser().read_text()
        except (OSError, ValueError):
            raise ConfigError(
                "the watch key is neither a private key in PEM nor the path of a file with one"
                " (watch_key=… or SOCIALPLUS_WATCH_KEY)"
            ) from None
    return _parsed(text)


@functools.lru_cache(maxsize=8)
def _parsed(text: str) -> RSAPrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        found = load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigError("the watch key is no private key in PEM without a password") from None
    if not isinstance(found, RSAPrivateKey):
        raise ConfigError("the watch key is of another kind: an RSA key is wanted")
    return found


@functools.cache
def throwaway() -> str:
    """A key of this process's own, for a service that looks at no signature: the sandbox, unless it was given a key."""
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    made = generate_private_key(public_exponent=65537, key_size=2048)
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
