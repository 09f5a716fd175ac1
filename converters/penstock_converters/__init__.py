"""Converters and header converters."""
