"""The blocking faces of `spnb.sandbox`: written by `uv run --group dev python -m tests.blocking`."""
