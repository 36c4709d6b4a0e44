"""What the native encoder writes to stderr is left out, and nothing else of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import os, subprocess, sys, threading
from spnb.broadcast.native_log import QuietEncoder

heard = []
for name in ("first", "second"):
    QuietEncoder.begin(lambda name=name: heard.append(name))
child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read(); sys.stderr.write('late\\\\n')"],
    stdin=subprocess.PIPE)
os.write(2, b"half a ")
os.write(2, b"line\\n\\n[Open")
os.write(2, b"H264] a warning\\n\\nkept [OpenH264]\\r 10 %")
for _ in range(2):
    QuietEncoder.end()
assert heard == ["first"], heard
own = open(sys.argv[1], "w")
child.communicate()
for thread in threading.enumerate():
    if thread.name == "spnb-stderr":
        thread.join(60)
os.write(2, b"after\\n")
"""


def test_a_program_started_meanwhile_writes_on_and_into_nobodys_file(tmp_path: Path) -> None:
    own = tmp_path / "own"
    told = subprocess.run([sys.executable, "-c", PROGRAM, own], capture_output=True, timeout=120, check=True)
    assert told.stderr == b"half a line\n\nkept [OpenH264]\r 10 %late\nafter\n"
    assert own.read_text() == ""
