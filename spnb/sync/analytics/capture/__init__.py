"""The blocking faces of `spnb.analytics.capture`: written by `uv run python -m tests.blocking`."""
