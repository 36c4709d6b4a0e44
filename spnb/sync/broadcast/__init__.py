"""The blocking faces of `spnb.broadcast`: written by `uv run python -m tests.blocking`."""
