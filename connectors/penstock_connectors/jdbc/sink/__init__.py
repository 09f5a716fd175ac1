"""The JDBC sink: records as rows of a database's tables."""
