"""What all widgets share: strict keywords, commands from the page on spnb's own loop, clean endings.

State travels in traits, so that a page opened later shows it; what is secret or large travels in messages and is kept
in the page's memory only. Commands may come in on any thread.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
import weakref
from collections import deque
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import traitlets

from spnb._arguments import checked
from spnb._faces import Face, is_a
from spnb._loop import spawn
from spnb.errors import InvalidInput, SpnbError
from spnb.widgets.front_ends import sender, take_bytes

__all__ = ["STATIC", "Charts", "Hub", "Widget"]

log = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"
GIVEN = {
    "client": ("Client", "of spnb.connect()"),
    "room": ("LiveRoom", "of sp.rooms"),
    "receiver": ("Receiver", "of spnb.webhooks"),
}
"""What widgets are made of, by the name of the argument."""
FIRST_WORDS = 100
"""Messages of pages that are told apart from their repetitions."""


class Widget(anywidget.AnyWidget):
    """Base of spnb's widgets.

    Keyword arguments must name traits of the widget: a misspelt one is an error, not silence.
    """

    _css = STATIC / "spnb.css"
    error = traitlets.Unicode("").tag(sync=True)
    """What went wrong last, in words; empty when nothing did."""
    plain: ClassVar[str] = "This widget needs a notebook front end."
    _ends: tuple[Callable[[], None], ...] = ()
    _heard: deque[str]
    _listening: threading.Lock
    _sender: Callable[[Callable[[], None]], None] | None = None
    _of_cells: ClassVar[dict[str, tuple[str, weakref.WeakSet[Widget]]]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__init__" in vars(cls):
            cls.__init__ = checked(cls.__init__)  # type: ignore[method-assign]

    def __new__(cls, *args: Any, **keywords: Any) -> Any:
        # Before there is a widget that would have to be closed again.
        making = inspect.signature(cls.__init__)
        given = making.bind_partial(None, *args, **keywords).arguments
        for name, (kind, whence) in GIVEN.items():
            value = given.get(name)
            if value is None or "SandboxInfo" in str(making.parameters[name].annotation):
                continue
            if not (isinstance(value, Face) and is_a(value, kind)):
                async_too = ": give its .sync" if is_a(value, kind) else ""
                told = f"{cls.__name__} takes a {kind}, {whence}, not a {type(value).__name__}{async_too}"
                raise InvalidInput(told)
        take_bytes()
        return super().__new__(cls, *args, **keywords)

    def __init__(self, **keywords: Any) -> None:
        unknown = keywords.keys() - self.trait_names()
        if unknown:
            raise InvalidInput(f"{type(self).__name__} has no option {', '.join(sorted(unknown))}")
        self._heard = deque(maxlen=FIRST_WORDS)
        self._listening = threading.Lock()
        super().__init__(**keywords)
        self.on_msg(self._received)
        self._replace_earlier_run()

    def open(self) -> None:
        """Put the widget on the page."""
        self._sender = sender()
        super().open()
        if hasattr(self.comm, "_reply_subshell_for"):
            # ipykernel 7.4 hands a page's messages to the thread whose message it answered last. For a widget that is
            # made in a cell that is the cells' own, and the page would wait for all of them: it keeps its own choice.
            self.comm._reply_subshell_for = None

    def _send(self, msg: Any, buffers: Any = None) -> None:
        send = super()._send
        if self._sender is None:
            send(msg, buffers)
        else:
            self._sender(lambda: send(msg, buffers))

    def __del__(self) -> None:
        # A widget whose constructor refused its arguments was never on a page: it has nothing to close with.
        if self.comm is not None:
            super().__del__()

    def _replace_earlier_run(self) -> None:
        """A cell that is run again replaces the widgets of its earlier run: they end, and so does what they had on."""
        cell, run = _cell_and_run()
        if not cell:
            return
        earlier, widgets = self._of_cells.get(cell, ("", weakref.WeakSet[Widget]()))
        if earlier != run:
            for widget in list(widgets):
                widget.close()
            widgets = weakref.WeakSet[Widget]()
            self._of_cells[cell] = (run, widgets)
        widgets.add(self)

    def _received(self, _widget: Any, content: Any, buffers: list[Any]) -> None:
        """Start what a command asks for; commands are coroutine methods called `do_…`."""
        if not isinstance(content, dict) or self.comm is None:
            return  # said before the page heard that the widget is closed
        if self._is_repeated(content):
            return
        action = getattr(self, f"do_{content.get('do')}", None)
        if action is None:
            log.debug("%s: unknown command", type(self).__name__)
            return
        self._spawn(action(content, buffers or []))

    def _is_repeated(self, content: dict[str, Any]) -> bool:
        """Whether a page has said this before: until it is told that it was heard, it says its first words again.

        A page's first words may come before the front end has a subshell for them; those wait for all cells.
        """
        word = content.get("first_word")
        if not isinstance(word, str):
            return False
        self.send({"type": "heard", "client": content.get("client"), "first_word": word})
        with self._listening:
            if word in self._heard:
                return True
            self._heard.append(word)
        return False

    async def do_module(self, content: dict[str, Any], _buffers: list[Any]) -> None:
        """A page that cannot find the model that carries a module wants the module itself."""
        carrier = {"hub": Hub, "charts": Charts}.get(str(content.get("name")))
        if carrier is not None:
            source = await asyncio.to_thread(carrier.module.read_bytes)
            self.send({"type": "module", "name": content["name"]}, [source])

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        spawn(self._guarded(work))

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except SpnbError as error:
            self.error = str(error)
        except Exception as error:
            log.exception("%s failed", type(self).__name__)
            self.error = f"{type(error).__name__}: {error}"

    def _at_end(self, end: Callable[[], None]) -> None:
        self._ends = (*self._ends, end)

    def close(self) -> None:
        """Take the widget off the page and end everything it followed."""
        ends, self._ends = self._ends, ()
        for end in ends:
            end()
        super().close()

    def _repr_mimebundle_(self, **keywords: Any) -> Any:
        bundle = super()._repr_mimebundle_(**keywords)
        if isinstance(bundle, tuple) and bundle and isinstance(bundle[0], dict):
            bundle[0]["text/plain"] = self._as_text()
        elif isinstance(bundle, dict):
            bundle["text/plain"] = self._as_text()
        return bundle

    def _as_text(self) -> str:
        """What is shown where no widget can be."""
        return f"{type(self).__name__}: {self.plain}"

    def __repr__(self) -> str:
        return self._as_text()


def _cell_and_run() -> tuple[str, str]:
    """The notebook cell that is being run and this run of it; empty where the front end does not tell."""
    from IPython.core.getipython import get_ipython

    kernel = getattr(get_ipython(), "kernel", None)
    if kernel is None:
        return "", ""
    parent = kernel.get_parent() or {}
    cell = (parent.get("metadata") or {}).get("cellId")
    return (str(cell), str(parent["header"].get("msg_id"))) if cell and parent.get("header") else ("", "")


class Hub(anywidget.AnyWidget):
    """Carries the heavy JavaScript (LiveKit's client, the HLS player) to the page, once for all widgets."""

    module: ClassVar[Path] = STATIC / "hub.js"
    _esm = module
    _shared: ClassVar[Hub | None] = None

    @classmethod
    def shared(cls) -> Hub:
        """The one hub of this kernel."""
        if cls._shared is None or cls._shared.comm is None:
            cls._shared = cls()
        return cls._shared


class Charts(Hub):
    """Carries plotly's basic charts to the page, once for all widgets.

    A quarter of what `FigureWidget` brings to each of its instances, and no network is needed.
    """

    module: ClassVar[Path] = STATIC / "charts.js"
    _esm = module
    _shared: ClassVar[Hub | None] = None
