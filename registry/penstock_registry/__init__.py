"""The schema registry: what converters use of it, and its server."""
