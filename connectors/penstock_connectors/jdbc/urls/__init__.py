"""``connection.url`` and the ``connection.*`` settings, as SQLAlchemy and the driver take them."""

from __future__ import annotations

from penstock_connectors.jdbc.urls.parse import database_url
from penstock_connectors.jdbc.urls.target import DatabaseUrl, UrlError

__all__ = ["DatabaseUrl", "UrlError", "database_url"]
