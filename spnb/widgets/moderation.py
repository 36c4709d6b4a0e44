"""What the automatic moderation found, in words for badges and for the host."""

from __future__ import annotations

from spnb.models import Room

__all__ = ["finding", "verdict"]


def finding(record: Room) -> str:
    """`flagged: profanity`, `terminated: violence`, or empty where nothing was found."""
    found = record.moderation
    ended = sorted({label.category for label in found.terminate_labels}) if found else []
    if ended or record.status == "terminated":
        return f"terminated: {', '.join(ended)}" if ended else "terminated"
    flags = sorted({label.category for label in found.flag_labels}) if found else []
    return f"flagged: {', '.join(flags)}" if flags else ""


def verdict(record: Room) -> str:
    """Why a terminated room was ended, for its host."""
    found = sorted({label.category for label in record.moderation.terminate_labels}) if record.moderation else []
    reason = f" for {', '.join(found)}" if found else ""
    return f"Moderation has ended this stream{reason}. It cannot go on: create a new room."
