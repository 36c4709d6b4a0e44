"""The blocking faces of `spnb.sandbox.audience`: written by `uv run --group dev python -m tests.blocking`."""
