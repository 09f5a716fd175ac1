"""The JDBC source: tables and queries of a database to topics."""
