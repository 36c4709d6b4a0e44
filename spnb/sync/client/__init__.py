"""The blocking faces of `spnb.client`: written by `uv run --group dev python -m tests.blocking`."""
