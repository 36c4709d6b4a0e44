"""The command line's entry point: which commands there are and how their ends become exit codes."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.text import Text

import spnb
from spnb._places import home_folder
from spnb.cli.faults import faults
from spnb.errors import SpnbError

__all__ = ["app", "main"]

app = App(name="spnb", version=spnb.__version__, help="social.plus livestreaming from a notebook or a terminal.")
app.command(faults)


@app.command
def lab(
    folder: Path | None = None,
    *,
    port: int = 0,
    browser: bool = True,
    fresh: bool = False,
) -> int:
    """Open JupyterLab on the first notebook, with a sandbox behind it (or the real service, given credentials).

    Args:
        folder: where the notebooks are copied to and opened [default: ~/spnb-notebooks].
        port: port of JupyterLab; 0 takes a free one.
        browser: open a browser window.
        fresh: replace notebooks that are already in the folder by new copies.
    """
    from spnb.cli.lab import open_lab

    return open_lab(
        folder or home_folder("name the folder: spnb lab FOLDER") / "spnb-notebooks",
        port=port,
        browser=browser,
        fresh=fresh,
    )


@app.command
def docs(*, browser: bool = True) -> int:
    """Open the guide and the reference that came with this installation; nothing is fetched.

    Args:
        browser: open a browser window; else only print where the pages are.
    """
    from spnb.cli.docs import open_docs

    Console().print(str(open_docs(browser=browser)), highlight=False, soft_wrap=True)
    return 0


@app.command
def demo(
    *,
    seconds: Annotated[float, Parameter(validator=None)] = 10.0,
    source: str = "test-card",
    out: Path | None = None,
    title: str = "Hello from spnb",
) -> int:
    """Run the whole story in the terminal: room, post, live, list, stop, recording.

    Args:
        seconds: how long to stay on air.
        source: `test-card`, `camera`, `screen`, or the path of a media file.
        out: folder for the downloaded recording [default: the user's videos folder].
        title: title of the room.
    """
    from spnb.cli.demo import run_demo

    return run_demo(seconds=seconds, source=source, out=out, title=title)


@app.command
def sandbox(
    *,
    port: int = 0,
    data_dir: Path | None = None,
    json: bool = False,
    grace: float | None = None,
    rate_limit: bool = True,
    api_key: str | None = None,
    livekit: str = "",
    egress: Path | None = None,
    secure: bool = False,
    watch_key: Path | None = None,
) -> int:
    """Run a sandbox in the foreground and print its addresses and key, so that any SDK can be pointed at it.

    Args:
        port: port for REST, MQTT and LiveKit signalling; 0 takes a free one.
        data_dir: where rooms and recordings are kept [default: a folder of the current user].
        json: print one line of JSON instead of text.
        grace: seconds that a room waits for its publisher to come back before it ends.
        rate_limit: answer 429 after 100 requests in 5 s of one user, as the service does.
        api_key: the network's key, so that apps of other SDKs keep theirs [default: that of the data folder]. Other
            users of this machine see it in the list of processes: SPNB_SANDBOX_API_KEY they do not.
        livekit: media server: `embedded`, `auto` (a livekit-server where SPNB_LIVEKIT_SERVER names one or the PATH has
            one), the path of a livekit-server, or the `ws://` address of a deployment [default: what SPNB_LIVEKIT says,
            else embedded].
        egress: with a deployment, the folder that its LiveKit Egress writes recordings into; it then records in place
            of the sandbox.
        secure: a network in secure mode, where a login wants an auth token, to practise with.
        watch_key: file of a public key in PEM: watch sessions that another key has signed are refused.
    """
    from spnb.sandbox import serve

    return serve(
        port=port,
        data_dir=data_dir,
        as_json=json,
        grace=grace,
        rate_limit=rate_limit,
        livekit=livekit,
        egress=egress,
        api_key=api_key,
        secure=secure,
        watch_key=watch_key,
    )


@app.command
def simulate(
    room: str, *, viewers: int = 200, seed: int = 1, seconds: float = 60.0, chattiness: float = 0.5, json: bool = False
) -> int:
    """Send simulated viewers into a room of the sandbox that is on air: they come and go, chat and react.

    Args:
        room: the room's id.
        viewers: how many people, up to 20 000.
        seed: the same seed and sizes give the same audience.
        seconds: for how long; Ctrl-C sends them home earlier.
        chattiness: messages a viewer writes in a minute, apart from bursts around planted moments.
        json: print the outcome as one line of JSON.
    """
    from spnb.cli.audience import send_audience

    return send_audience(room, viewers=viewers, seed=seed, seconds=seconds, chattiness=chattiness, as_json=json)


@app.command
def capture(
    *rooms: str, folder: Path = Path("capture"), seconds: float | None = None, text: bool = False, json: bool = False
) -> int:
    """Record viewers, chat, reactions and status of rooms to Parquet; killed or interrupted, it goes on where it was.

    Args:
        rooms: ids of rooms [default: all that are on air, and each that goes live].
        folder: a new folder, or that of an earlier capture.
        seconds: for how long [default: until Ctrl-C, or the end of the rooms].
        text: keep what people write in the chat.
        json: print JSON lines: what is safely on disk, whenever that changes.
    """
    from spnb.cli.capture import capture_rooms

    return capture_rooms(list(rooms), folder, seconds=seconds, text=text, as_json=json)


@app.command
def backfill(
    *,
    days: int = 90,
    streams: int = 300,
    seed: int = 1,
    views: int | None = None,
    messages: int | None = None,
    data_dir: Path | None = None,
    json: bool = False,
) -> int:
    """Fill the sandbox with months of past streams, chats, reactions and watch sessions, to analyse.

    Args:
        days: how many days, until the last midnight (UTC).
        streams: how many rooms.
        seed: the same seed and sizes give the same past.
        views: watch sessions in all [default: 3 333 a stream].
        messages: chat messages in all [default: 6 667 a stream].
        data_dir: the folder of a sandbox that need not run [default: your sandbox, which is started].
        json: print the outcome as one line of JSON.
    """
    from spnb.cli.audience import fill_past

    return fill_past(
        days=days, streams=streams, seed=seed, views=views, messages=messages, data_dir=data_dir, as_json=json
    )


@app.command
def rooms(*, status: list[str] | None = None, limit: int = 20, json: bool = False) -> int:
    """List rooms, the newest first.

    Args:
        status: only rooms in these states (repeat the option); all without it.
        limit: how many at most.
        json: print JSON lines.
    """
    from spnb.cli.rooms import list_rooms

    return list_rooms(statuses=status or [], limit=limit, as_json=json)


@app.command
def doctor(*, page: bool = False, json: bool = False) -> int:
    """Tell what works here: service, real time, LiveKit, UDP, camera, codecs, versions.

    Args:
        page: tell instead what leads from a notebook's page to the sandbox: through which Jupyter servers, and how to
            have the page itself examined.
        json: print JSON instead of a table.
    """
    from spnb.cli.doctor import examinations, examine
    from spnb.cli.doctor_page import page_examinations

    return examine(page_examinations if page else examinations, as_json=json)


@app.command
def bench(*names: str, json: bool = False) -> int:
    """Measure what spnb promises about speed and size, each figure against its bar.

    Args:
        names: which benchmarks [default: all]; `spnb bench list` names them.
        json: print JSON lines instead of a table.
    """
    from spnb.bench import run_benchmarks

    return run_benchmarks(list(names), as_json=json)


def main(tokens: list[str] | None = None) -> None:
    """Run the command line; errors of spnb become one clear line and exit code 1."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a title that the terminal cannot show must not end the list
    try:
        code = app(tokens, result_action="return_value")
    except SpnbError as error:
        # What a message repeats is the user's, and no markup.
        Console(stderr=True).print(
            Text.assemble(("error:", "bold red"), " ", str(error)), highlight=False, soft_wrap=True
        )
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)
