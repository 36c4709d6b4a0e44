"""The blocking faces of `spnb`: written by `uv run --group dev python -m tests.blocking`."""
