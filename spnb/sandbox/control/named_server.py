"""What jupyter-server-proxy asks for when a Jupyter server starts: the name under which pages come to the sandbox."""

from __future__ import annotations

from typing import Any

__all__ = ["named_server"]


def named_server() -> dict[str, Any]:
    """The entry point `jupyter_serverproxy_servers`: `{base}/spnb/…` leads to this user's sandbox, and nowhere else.

    It runs or not by itself; the sandbox's own keys and tokens are asked for behind the Jupyter server's login.
    """
    from spnb.sandbox.control.launch import home
    from spnb.sandbox.server.road import FILE

    return {"unix_socket": str(home() / FILE), "launcher_entry": {"enabled": False}}
