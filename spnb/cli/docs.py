"""`spnb docs`: the guide and the reference, from this very installation, without a network."""

from __future__ import annotations

import webbrowser
from pathlib import Path

from spnb.errors import ConfigError

__all__ = ["open_docs", "site"]

BUILD = "uv run --group docs python -m tests.docs"


def site() -> Path:
    """The first page of the site that came with this installation.

    Raises:
        ConfigError: it came without, e.g. a checkout in which nobody has built it.
    """
    page = Path(__file__).resolve().parents[1] / "site" / "index.html"
    if not page.is_file():
        raise ConfigError(f"this installation has no built pages: in a checkout `{BUILD}` builds them")
    return page


def open_docs(*, browser: bool) -> Path:
    """Open the site in a browser, unless `browser` is False; where it is."""
    page = site()
    if browser:
        webbrowser.open(page.as_uri())
    return page
