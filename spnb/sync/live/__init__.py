"""The blocking faces of `spnb.live`: written by `uv run python -m tests.blocking`."""
