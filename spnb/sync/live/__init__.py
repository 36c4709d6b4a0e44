"""The blocking faces of `spnb.live`: written by `uv run --group dev python -m tests.blocking`."""
