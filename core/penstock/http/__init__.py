"""Serving HTTP: listeners, one server thread, limits on what a client may send, and what every application on top needs.

The worker's REST API and the schema registry stand on this room. It knows nothing of either. Importing this package is
cheap; its modules import uvicorn and Starlette.
"""
