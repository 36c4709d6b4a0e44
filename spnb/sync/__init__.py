"""The blocking faces of `spnb`: written by `uv run python -m tests.blocking`."""
