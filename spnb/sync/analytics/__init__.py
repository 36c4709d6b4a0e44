"""The blocking faces of `spnb.analytics`: written by `uv run --group dev python -m tests.blocking`."""
