"""The blocking faces of `spnb.analytics.capture`: written by `uv run --group dev python -m tests.blocking`."""
