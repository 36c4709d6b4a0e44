"""The blocking faces of `spnb.recordings`: written by `uv run --group dev python -m tests.blocking`."""
