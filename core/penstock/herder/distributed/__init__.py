"""The distributed herder: workers of one group share connectors and tasks."""
