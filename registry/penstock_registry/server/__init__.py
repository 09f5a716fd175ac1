"""The registry as a service: its rules, its store, its HTTP API."""
