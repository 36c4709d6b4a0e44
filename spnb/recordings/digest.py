"""What a server says a whole file's hash is, and whether it is so."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Digest", "promised"]

NAMES = {"sha-512": "sha512", "sha-256": "sha256", "md5": "md5"}
"""Best first. MD5 is no proof against malice, but against damage it is."""


@dataclass(frozen=True, slots=True)
class Digest:
    """A file's hash as it was promised."""

    algorithm: str
    value: bytes

    def fits(self, path: Path) -> bool:
        """Whether a file has this hash. Reads it through: on a thread of its own."""
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.new(self.algorithm, usedforsecurity=False)).digest() == (
                self.value
            )


def promised(headers: Mapping[str, str]) -> Digest | None:
    """The hash of the whole file, whatever part of it the answer holds; None where none is told.

    Read are `Repr-Digest` (RFC 9530), the older `Digest` (RFC 3230), `x-amz-checksum-sha256` and `x-goog-hash` of the
    large stores; not `Content-MD5`, which is of the part that was sent.
    """
    told: dict[str, str] = {}
    for name in ("digest", "x-goog-hash"):
        for algorithm, value in re.findall(r"([\w-]+)=([A-Za-z0-9+/]+=*)", headers.get(name, "")):
            told[algorithm.lower()] = value
    if re.fullmatch(r"[A-Za-z0-9+/]{43}=", amazon := headers.get("x-amz-checksum-sha256", "")):
        told["sha-256"] = amazon
    for algorithm, value in re.findall(r"([\w-]+)=:([A-Za-z0-9+/]+=*):", headers.get("repr-digest", "")):
        told[algorithm.lower()] = value
    for name, algorithm in NAMES.items():
        if name in told:
            try:
                value = base64.b64decode(told[name], validate=True)
            except binascii.Error:
                continue
            if len(value) == hashlib.new(algorithm, usedforsecurity=False).digest_size:
                return Digest(algorithm, value)
    return None
