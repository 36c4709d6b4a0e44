"""`python -m spnb.sandbox.audience backfill|simulate`: the process behind.

Its wish comes in on stdin, as a line of JSON, so that no list of processes shows a key.
"""

from __future__ import annotations

import json
import sys

if __name__ == "__main__":
    if sys.argv[1] == "backfill":
        from spnb.sandbox.audience.past import write_from

        write_from(json.loads(sys.stdin.readline()))
    else:
        from spnb.sandbox.audience.player import play_from

        sys.exit(play_from(json.loads(sys.stdin.readline())))
