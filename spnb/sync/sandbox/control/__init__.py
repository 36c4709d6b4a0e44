"""The blocking faces of `spnb.sandbox.control`: written by `uv run python -m tests.blocking`."""
