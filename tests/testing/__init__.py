"""The pytest plugin for people who test their own app."""
