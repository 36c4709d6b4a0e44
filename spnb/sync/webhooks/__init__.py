"""The blocking faces of `spnb.webhooks`: written by `uv run python -m tests.blocking`."""
