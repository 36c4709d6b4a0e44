"""Writes all blocking faces anew."""

from tests.blocking import write

write()
