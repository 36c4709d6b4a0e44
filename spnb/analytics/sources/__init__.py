"""Where audiences come from: frames, saved folders, the service, the sandbox, the Console's export, chat logs."""

from spnb.analytics.sources.chat_logs import read_chat_log
from spnb.analytics.sources.console import console_csv, read_console
from spnb.analytics.sources.loading import load

__all__ = ["console_csv", "load", "read_chat_log", "read_console"]
