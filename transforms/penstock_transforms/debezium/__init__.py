"""Debezium's transforms: of change events, under Debezium's class names, with its settings and results."""
