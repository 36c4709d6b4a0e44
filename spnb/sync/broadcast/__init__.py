"""The blocking faces of `spnb.broadcast`: written by `uv run --group dev python -m tests.blocking`."""
