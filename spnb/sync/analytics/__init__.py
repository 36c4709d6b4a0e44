"""The blocking faces of `spnb.analytics`: written by `uv run python -m tests.blocking`."""
