"""The blocking faces of `spnb.webhooks`: written by `uv run --group dev python -m tests.blocking`."""
