"""`python -m spnb.sandbox.audience`: the process that writes a past; its wish comes in on stdin, as JSON."""

from __future__ import annotations

import json
import sys

if __name__ == "__main__":
    from spnb.sandbox.audience.past import write_from

    write_from(json.loads(sys.stdin.read()))
