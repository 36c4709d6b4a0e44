"""`python -m spnb.sandbox.exact_rows STORE`: reads tables for the sandbox that started it; see `process`."""

from __future__ import annotations

import sys
from pathlib import Path

from spnb.sandbox.exact_rows.process import serve

if __name__ == "__main__":
    serve(Path(sys.argv[1]))
