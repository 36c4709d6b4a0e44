"""The `spnb` command: lab, demo, sandbox, rooms, doctor, bench."""

from __future__ import annotations

from spnb.cli.app import app, main

__all__ = ["app", "main"]
