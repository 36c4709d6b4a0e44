"""What proves a road: a page that reaches this machine by a detour must know that it ends where it should.

A page tries roads in order: the address itself, the Jupyter server's named road (`{base}/spnb/…`), its proxied port,
and the widget's own messages. The true end is asked for its answer to a fresh challenge; the page compares what a road
answers.
"""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from spnb._patience import ON_THIS_MACHINE, no_tls
from spnb.config import is_loopback

__all__ = ["signpost"]

PROOF_PATH = "/sandbox/proof"


async def signpost(url: str) -> dict[str, str] | None:
    """A challenge and the answer that only the server at `url` can give.

    Returns:
        None where the address is not on this machine: a page reaches it as it is. An empty answer where the server
        does not tell: no road can be proven, and the page takes the address as it is.
    """
    import httpx

    if not is_loopback(url):
        return None
    challenge = secrets.token_hex(16)
    parts = urlsplit(url)
    origin = f"http://{parts.netloc}"
    async with httpx.AsyncClient(trust_env=False, verify=no_tls(), timeout=ON_THIS_MACHINE) as client:
        try:
            answer = await client.get(f"{origin}{PROOF_PATH}", params={"challenge": challenge})
            told = answer.json()["proof"] if answer.status_code == 200 else ""
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            told = ""
    return {"challenge": challenge, "answer": str(told)}
