"""The registry's HTTP API: routes, media types, and the front that answers the hot path."""
