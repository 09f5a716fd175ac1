"""Typed records out of files of JSON lines and CSV, and JSON lines out of records."""
