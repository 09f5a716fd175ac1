"""The connectors that come with penstock."""
