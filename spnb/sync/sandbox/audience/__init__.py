"""The blocking faces of `spnb.sandbox.audience`: written by `uv run python -m tests.blocking`."""
