"""The blocking faces of `spnb.sandbox`: written by `uv run python -m tests.blocking`."""
