"""What a user chose last: devices by name, size, mirror, sound. One small file of this user, never in a notebook."""

from __future__ import annotations

import contextlib
import json
import logging
from pathlib import Path
from typing import Any

from spnb._places import user_folder
from spnb.errors import ConfigError

__all__ = ["load", "save"]

log = logging.getLogger(__name__)

DEFAULTS: dict[str, Any] = {
    "camera": "",
    "microphone": "",
    "height": 720,
    "fps": 30,
    "mirror": True,
    "echo": True,
    "noise": True,
    "stereo": False,
    "blur": False,
}


def _path() -> Path:
    return user_folder("config") / "preferences.json"


def load() -> dict[str, Any]:
    """The user's choices; the defaults where there are none, or where the file cannot be read."""
    try:
        kept = json.loads(_path().read_text("utf-8"))
    except (OSError, ValueError, ConfigError):
        return dict(DEFAULTS)
    return checked(kept)


def save(wishes: dict[str, Any]) -> None:
    """Keep the choices; where that is impossible they live as long as the kernel."""
    with contextlib.suppress(OSError, ConfigError):
        path = _path()
        path.parent.mkdir(parents=True, exist_ok=True)
        made = path.with_suffix(".part")
        made.write_text(json.dumps(wishes), "utf-8")
        made.replace(path)


def checked(wishes: Any) -> dict[str, Any]:
    """Choices of the right kinds and sizes; what is not becomes the default."""
    given = wishes if isinstance(wishes, dict) else {}
    out = dict(DEFAULTS)
    for name in ("camera", "microphone"):
        if isinstance(given.get(name), str):
            out[name] = given[name][:200]
    for name, most in (("height", 2160), ("fps", 120)):
        value = given.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most:
            out[name] = value
    for name in ("mirror", "echo", "noise", "stereo", "blur"):
        if isinstance(given.get(name), bool):
            out[name] = given[name]
    return out
