"""The blocking faces of `spnb.sandbox.control`: written by `uv run --group dev python -m tests.blocking`."""
