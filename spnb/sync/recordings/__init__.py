"""The blocking faces of `spnb.recordings`: written by `uv run python -m tests.blocking`."""
