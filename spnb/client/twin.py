"""Writes the package `sync`, the blocking faces of the resources, from their async sources.

    python -m spnb.client.twin        rewrites it
    tests/client/test_twin.py         proves that it is up to date

Signatures and docstrings are taken over as they stand, so the two faces cannot drift apart.
"""

from __future__ import annotations

import ast
from pathlib import Path

__all__ = ["SOURCES", "TARGET", "generate", "write"]

FOLDER = Path(__file__).parent
TARGET = FOLDER / "sync"
SOURCES = ("files", "rooms", "social", "chat", "audience", "products", "settings")
HEAD = '''"""Blocking twins of `spnb.client.{source}`: written by `python -m spnb.client.twin`, change that instead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from spnb._loop import iterate, run
from spnb.client.audience import AsyncInvitations, AsyncPresence, AsyncReactions, AsyncUsers, Subject
from spnb.client.chat import AsyncChannels, AsyncMessages
from spnb.client.client import AsyncClient
from spnb.client.files import AsyncFiles
from spnb.client.products import AsyncProducts, ProductActivity, Shelf
from spnb.client.records import LivePost, Records
from spnb.client.rooms import AsyncRooms
from spnb.client.settings import AsyncSettings, ModerationSettings, Thresholds
from spnb.client.social import AsyncCommunities, AsyncPosts
from spnb.client.sync.audience import Invitations, Presence, Reactions, Users
from spnb.client.sync.chat import Channels, Messages
from spnb.client.sync.faces import each, face
from spnb.client.sync.files import Files
from spnb.client.sync.products import Products
from spnb.client.sync.rooms import Rooms
from spnb.client.sync.settings import Settings
from spnb.client.sync.social import Communities, Posts
from spnb.models import (
    BroadcasterData,
    Channel,
    ChannelMember,
    Community,
    File,
    Invitation,
    Message,
    PlaybackInfo,
    Post,
    Product,
    Reactor,
    Recording,
    Room,
    User,
    Viewer,
    WatchSession,
)
from spnb.realtime import Realtime

R = TypeVar("R")
Json = dict[str, Any]
'''
TABLES = """if TYPE_CHECKING:
    import pandas as pd

"""
CLIENT = '''

class Client(Generic[R]):
    """Talks to social.plus, the real service or a sandbox, as one user: the blocking twin of `AsyncClient`.

    Works in plain programs and in notebook cells alike; interrupting a cell cancels the call. `spnb.connect()` makes
    one that hands out live rooms.

    Args:
        twin: the async client it stands before.
    """

    def __init__(self, twin: AsyncClient[Any]) -> None:
        self._twin = twin
        self.files = Files(twin.files)
        self.rooms: Rooms[R] = Rooms(twin.rooms)
        self.posts = Posts(twin.posts)
        self.communities = Communities(twin.communities)
        self.channels = Channels(twin.channels)
        self.messages = Messages(twin.messages)
        self.reactions = Reactions(twin.reactions)
        self.presence = Presence(twin.presence)
        self.products = Products(twin.products)
        self.invitations = Invitations(twin.invitations)
        self.users = Users(twin.users)
        self.settings = Settings(twin.settings)

    @property
    def asynchronous(self) -> AsyncClient[Any]:
        """The async twin on the same connection."""
        return self._twin

    @property
    def user_id(self) -> str:
        """The public id of the user this client acts as."""
        return self._twin.user_id

    @property
    def user(self) -> User | None:
        """The user, once logged in."""
        return self._twin.user

    @property
    def network_id(self) -> str | None:
        """The network, once logged in: the root of real-time topics."""
        return self._twin.network_id

    @property
    def realtime(self) -> Realtime:
        """The real-time connection; it connects at the first subscription."""
        return self._twin.realtime

    def login(self) -> User:
        """Log in; every call does so by itself where it is needed."""
        return run(self._twin.login())

    def access_token(self) -> str:
        """The current access token. Secret: never show or store it."""
        return run(self._twin.access_token())

    def close(self) -> None:
        """Close all connections; calling it again does nothing."""
        run(self._twin.aclose())

    def __enter__(self) -> Client[R]:
        self.login()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return repr(self._twin).removeprefix("Async")
'''


def generate() -> dict[str, str]:
    """Name and text of each module of the package `sync`; names that a module does not use are imported too many."""
    modules = {}
    for source in SOURCES:
        tree = ast.parse((FOLDER / f"{source}.py").read_text())
        classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name.startswith("Async")]
        body = "\n".join(map(_class, classes))
        head = _head(source)
        if "pd." in body:
            head = head.replace('R = TypeVar("R")', TABLES + 'R = TypeVar("R")')
        modules[source] = "\n".join([head, body])
    modules["client"] = "\n".join([_head("client"), CLIENT])
    return modules


def _head(source: str) -> str:
    own = f"from spnb.client.sync.{source} import "
    return "".join(line for line in HEAD.format(source=source).splitlines(keepends=True) if not line.startswith(own))


def _class(node: ast.ClassDef) -> str:
    name = node.name.removeprefix("Async")
    generic = any(ast.unparse(base) == "Generic[R]" for base in node.bases)
    lines = ["", f"class {name}{'(Generic[R])' if generic else ''}:", *_docstring(node, "    "), ""]
    lines += [
        f"    def __init__(self, twin: {node.name}{'[Any]' if generic else ''}) -> None:",
        "        self._twin = twin",
        "",
    ]
    for method in node.body:
        if isinstance(method, (ast.AsyncFunctionDef, ast.FunctionDef)) and not method.name.startswith("_"):
            lines += [*_method(method), ""]
    return "\n".join(lines)


def _method(node: ast.AsyncFunctionDef | ast.FunctionDef) -> list[str]:
    returns = ast.unparse(node.returns) if node.returns else "None"
    arguments = [argument.arg for argument in node.args.args[1:]]
    named = [f"{argument.arg}={argument.arg}" for argument in node.args.kwonlyargs]
    call = f"self._twin.{node.name}({', '.join([*arguments, *named])})"
    lines = [f"    def {node.name}({ast.unparse(node.args)}) -> {returns.replace('AsyncIterator', 'Iterator')}:"]
    lines += _docstring(node, "        ")
    if isinstance(node, ast.FunctionDef):
        lines.append(f"        return each(iterate({call}))")
    elif returns == "None":
        lines.append(f"        run({call})")
    elif "R" in returns.replace("[", " ").replace("]", " ").split():
        lines += [f"        found: {returns} = face(run({call}))", "        return found"]
    else:
        lines.append(f"        return run({call})")
    return lines


def _docstring(node: ast.AsyncFunctionDef | ast.FunctionDef | ast.ClassDef, indent: str) -> list[str]:
    text = ast.get_docstring(node) or ""
    lines = text.splitlines()
    if len(lines) == 1:
        return [f'{indent}"""{text}"""']
    return [f'{indent}"""{lines[0]}', *(f"{indent}{line}" if line else "" for line in lines[1:]), f'{indent}"""']


def write(folder: Path) -> None:
    """Write the modules into `folder`, without unused names and formatted."""
    import subprocess
    import sys

    paths = []
    for name, text in generate().items():
        paths.append(str(folder / f"{name}.py"))
        Path(paths[-1]).write_text(text)
    ruff = [sys.executable, "-m", "ruff"]
    subprocess.run([*ruff, "check", "--quiet", "--fix", "--select", "F401,F811,E3,W,I", *paths], check=False)
    subprocess.run([*ruff, "format", "--quiet", *paths], check=True)


if __name__ == "__main__":
    write(TARGET)
