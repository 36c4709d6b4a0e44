"""`python -m tests.docs`: build the site from the guide and the docstrings into `spnb/site`, warnings being errors.

The wheel takes the site along where it was built, and `spnb docs` opens it. The pages of the reference list every
public name; `REFERENCE` says which name stands on which page.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["GUIDE", "REFERENCE", "build", "write_pages"]

HOUSE = Path(__file__).resolve().parents[1]
GUIDE = HOUSE / "notebooks" / "guide"
PAGES = HOUSE / "test-output" / "docs"
SITE = HOUSE / "spnb" / "site"
REFERENCE: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "connection": (
        "Connection",
        "`spnb.connect()` hands out a client; its parts are the service's resources.",
        (
            "spnb.sync._connect.connect",
            "spnb._connect.connect_async",
            "spnb.sync.client.client.Client",
            "spnb.sync.client.rooms.Rooms",
            "spnb.sync.client.social.Posts",
            "spnb.sync.client.social.Communities",
            "spnb.sync.client.comments.Comments",
            "spnb.sync.client.chat.Channels",
            "spnb.sync.client.chat.Messages",
            "spnb.sync.client.audience.Reactions",
            "spnb.sync.client.audience.Presence",
            "spnb.sync.client.audience.Invitations",
            "spnb.sync.client.audience.Users",
            "spnb.sync.client.files.Files",
            "spnb.sync.client.products.Products",
            "spnb.sync.client.settings.Settings",
            "spnb.sync.client.first_party.FirstParty",
            "spnb.client.client.AsyncClient",
        ),
    ),
    "rooms": (
        "Live rooms",
        "What `sp.rooms` hands out follows the service while anybody looks at it.",
        (
            "spnb.sync.live.room.LiveRoom",
            "spnb.sync.live.chat.Chat",
            "spnb.sync.live.stage.Stage",
            "spnb.sync.live.audience.Audience",
            "spnb.sync.live.reactions.LiveReactions",
            "spnb.sync.live.products.RoomProducts",
            "spnb.sync.live.viewing.Viewing",
            "spnb.sync.live.collection.LiveRooms",
            "spnb.sync.live.invitation.LiveInvitation",
            "spnb.sync.live.invitations.LiveInvitations",
            "spnb.sync.live.invite_link.InviteLink",
            "spnb.live.hooks.on",
            "spnb.live.hooks.off",
            "spnb.live.room.AsyncLiveRoom",
            "spnb.live.collection.AsyncLiveRooms",
            "spnb.live.invitations.AsyncLiveInvitations",
        ),
    ),
    "broadcast": (
        "Broadcast",
        "`room.go_live(source)` hands out the running broadcast.",
        (
            "spnb.sync.broadcast.broadcast.Broadcast",
            "spnb.broadcast.broadcast.AsyncBroadcast",
            "spnb.broadcast.restream.Restream",
            "spnb.broadcast.sources.TestCard",
            "spnb.broadcast.sources.MediaFile",
            "spnb.broadcast.sources.LiveURL",
            "spnb.broadcast.sources.Camera",
            "spnb.broadcast.sources.Screen",
            "spnb.broadcast.sources.Generator",
        ),
    ),
    "recordings": ("Recordings", "`room.recording()` waits for it.", ("spnb.sync.recordings.recording.Recording",)),
    "widgets": (
        "Widgets",
        "Each is shown by being the last line of a cell.",
        tuple(
            f"spnb.widgets.{name}"
            for name in [
                "Studio",
                "CameraPreview",
                "CreateRoom",
                "GoLive",
                "Player",
                "RecordingPlayer",
                "Chat",
                "LiveNow",
                "RoomTable",
                "RoomCard",
                "RoomStatus",
                "ViewerCount",
                "Doctor",
                "Dashboard",
                "StreamReport",
                "LiveDashboard",
                "WebhookInspector",
                "Faults",
            ]
        ),
    ),
    "records": (
        "Webhooks and capture",
        "What happens, kept.",
        (
            "spnb.sync.webhooks.receiver.Receiver",
            "spnb.webhooks.Delivery",
            "spnb.webhooks.is_signed",
            "spnb.webhooks.signed",
            "spnb.sync.webhooks.prehook.Prehook",
            "spnb.webhooks.asked.Asked",
            "spnb.webhooks.rehearsal.Rehearsal",
            "spnb._capture.capture",
            "spnb.sync.analytics.capture.capture.Capture",
        ),
    ),
    "analytics": (
        "Analytics",
        "Tables in, numbers and figures out.",
        (
            "spnb.analytics.load",
            "spnb.analytics.Dataset",
            "spnb.analytics.StreamReport",
            "spnb.analytics.PeriodReport",
            "spnb.analytics.overview",
            "spnb.analytics.grouped",
            "spnb.analytics.cohorts",
            "spnb.analytics.compare",
            "spnb.analytics.Comparison",
            "spnb.analytics.effects",
            "spnb.analytics.funnel",
            "spnb.analytics.Alerts",
            "spnb.analytics.AlertRules",
            "spnb.analytics.Alert",
            "spnb.analytics.overlap",
            "spnb.analytics.new_and_returning",
            "spnb.analytics.watch_percentiles",
            "spnb.analytics.viewer_path",
            "spnb.analytics.streams_table",
            "spnb.analytics.streams_csv",
            "spnb.analytics.console_csv",
            "spnb.analytics.read_console",
            "spnb.analytics.reconcile",
            "spnb.analytics.post_reach",
            "spnb.analytics.read_chat_log",
            "spnb.analytics.repaired",
            "spnb.analytics.describe",
            "spnb.analytics.portable",
            "spnb.analytics.figures",
            "spnb.analytics.metrics",
        ),
    ),
    "sandbox": (
        "Sandbox and testing",
        "The service's wire on this machine.",
        (
            "spnb.sandbox.ensure",
            "spnb.sandbox.start",
            "spnb.sandbox.running",
            "spnb.sandbox.serve",
            "spnb.sandbox.SandboxInfo",
            "spnb.sync.sandbox.audience.simulation.simulate",
            "spnb.sync.sandbox.audience.simulation.Simulation",
            "spnb.sync.sandbox.audience.past.backfill",
            "spnb.sync.sandbox.control.faults.Faults",
            "spnb.sync.sandbox.control.webhooks.Webhooks",
            "spnb.sync.sandbox.control.products.add_product",
            "spnb.testing.SocialPlus",
            "spnb.testing.plugin",
        ),
    ),
    "errors": (
        "Records and errors",
        "Every error is an `SpnbError`.",
        ("spnb.models.Room", "spnb.errors.SpnbError", "spnb.errors"),
    ),
}


def command_page() -> str:
    """The command line as it explains itself."""
    from spnb.cli.app import app

    parts = ["# Command line\n"]
    names = sorted(name for name in app if not name.startswith("-"))
    for words in ([], *([name] for name in names)):
        told = subprocess.run(
            [sys.executable, "-m", "spnb", *words, "--help"],
            capture_output=True,
            text=True,
            check=True,
            env={"COLUMNS": "100", "PATH": "", "NO_COLOR": "1", "TERM": "dumb"},
        )
        parts.append(f"## spnb {' '.join(words)}\n\n```text\n{told.stdout.strip()}\n```\n")
    return "\n".join(parts)


def write_pages(folder: Path) -> None:
    """The sources of the site: the guide, and a page of the reference for each subject."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(GUIDE, folder)
    (folder / "reference").mkdir()
    for name, (title, words, names) in REFERENCE.items():
        body = "\n".join(f"::: {dotted}\n" for dotted in names)
        (folder / "reference" / f"{name}.md").write_text(f"# {title}\n\n{words}\n\n{body}")
    (folder / "reference" / "command.md").write_text(command_page())
    guide = "\n".join(f"- [{title_of(page)}]({page.name})" for page in sorted(GUIDE.glob("*.md")))
    reference = "\n".join(
        f"- [{title}](reference/{name}.html): {words}" for name, (title, words, _) in REFERENCE.items()
    )
    (folder / "llms.txt").write_text(
        "# spnb\n\n> social.plus livestreaming in Python and Jupyter: rooms, LiveKit broadcasts, chat, recordings, "
        "audience analytics, and a local sandbox of the service.\n\n"
        f"## Guide\n\n{guide}\n\n## Reference\n\n{reference}\n"
    )


def title_of(page: Path) -> str:
    """The first heading of a page."""
    return page.read_text().splitlines()[0].removeprefix("# ")


def build() -> int:
    """Build the site; the exit code is mkdocs's."""
    write_pages(PAGES)
    configuration = HOUSE / ".docs" / "mkdocs.yml"
    return subprocess.run([sys.executable, "-m", "mkdocs", "build", "--quiet", "-f", str(configuration)]).returncode


if __name__ == "__main__":
    sys.exit(build())
