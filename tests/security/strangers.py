"""Another user of the same machine: a process under another uid, where the tests may make one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

STRANGER = 54321
"""A uid that nobody has."""

needs_root = pytest.mark.skipif(
    sys.platform == "win32" or os.getuid() != 0, reason="only root can be another user for a while"
)


def as_stranger(program: str, *arguments: str) -> subprocess.Popen[str]:
    """Run a Python program as another user, who has imported what it needs before."""
    # The interpreter itself may lie where the other one cannot go, so the user is changed inside.
    change = f"os.setgroups([])\nos.setgid({STRANGER})\nos.setuid({STRANGER})\n"
    become = f"import os, socket, sys, json, http.server, encodings.idna\n{change}"
    return subprocess.Popen(
        [sys.executable, "-c", become + program, *arguments],
        # Coverage would measure the stranger too, who may not write down what it finds.
        env={name: value for name, value in os.environ.items() if not name.startswith("COV")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


SQUATTER = """
class Squatter(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        print(json.dumps([self.path, sorted(self.headers.items())]), flush=True)
        body = json.dumps({"proof": "0" * 64, "pid": int(sys.argv[2]), "leases": 0, "busy": False}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_POST = do_GET
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Squatter)
print("ready", flush=True)
server.serve_forever()
"""
"""Sits on a port and writes down whatever it is sent."""
