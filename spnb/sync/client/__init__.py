"""The blocking faces of `spnb.client`: written by `uv run python -m tests.blocking`."""
