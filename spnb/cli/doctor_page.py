"""`spnb doctor --page`: what leads from a notebook's page to the sandbox, as far as this side of it can tell."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from spnb.cli.doctor import Examination, Finding

__all__ = ["page_examinations"]

LOAD = 512 * 1024
SECONDS = 10.0
CELL = "import spnb; spnb.Doctor(spnb.connect())"
"""What has the page itself examined."""


def roads() -> Iterator[Finding]:
    """Whether each Jupyter server that this user runs on this machine leads to the sandbox, how late, and how much."""
    from jupyter_server.serverapp import list_running_servers

    import spnb.sandbox

    info = spnb.sandbox.ensure()
    servers = list(list_running_servers())
    for server in servers:
        yield _road(server, info.url)
    if not servers:
        yield Finding("jupyter", "note", "no Jupyter server of yours runs on this machine")


def _road(server: dict[str, Any], sandbox: str) -> Finding:
    import httpx

    from spnb._loop import run
    from spnb.broadcast.signpost import signpost

    base = str(server["url"])
    post = run(signpost(sandbox)) or {}
    headers = {"Authorization": f"token {server['token']}"} if server.get("token") else {}
    asked = f"{base}spnb/sandbox/proof?challenge={post.get('challenge', '')}"
    verify = not base.startswith("https")  # it is on this machine, under whatever name its certificate has
    with httpx.Client(trust_env=False, verify=verify, timeout=SECONDS, headers=headers) as client:
        try:
            told = client.get(asked)
            if told.status_code == httpx.codes.NOT_FOUND:
                do = "install jupyter-server-proxy and spnb where it runs, and start it anew"
                return Finding("jupyter", "fail", f"{base} knows no way to a sandbox: {do}")
            if told.status_code != httpx.codes.OK:
                do = "is it another user's, or was the sandbox started under another SPNB_HOME?"
                return Finding("jupyter", "fail", f"{base} leads to no sandbox (HTTP {told.status_code}): {do}")
            if told.json().get("proof") != post.get("answer"):
                return Finding("jupyter", "fail", f"{base} leads to another sandbox than this user's {sandbox}")
            began = time.perf_counter()
            client.get(asked)
            delay = time.perf_counter() - began
            loaded = client.get(f"{asked}&load={LOAD}")
            taken = max(time.perf_counter() - began - 2 * delay, 1e-4)
        except (httpx.HTTPError, ValueError) as error:
            return Finding("jupyter", "fail", f"{base} does not answer: {type(error).__name__}")
    speed = min(len(loaded.content) * 8 / taken / 1e6, 1000)
    return Finding("jupyter", "ok", f"{base}spnb/ leads to your sandbox: {delay * 1000:.0f} ms, {speed:.0f} Mb/s")


def page() -> Iterator[Finding]:
    """Only the page itself can tell what it reaches."""
    yield Finding("page", "note", f"what a page reaches it tells itself: run this in its notebook: {CELL}")


page_examinations: tuple[Examination, ...] = (roads, page)
