"""Java's ways: what Kafka Connect does because Java does it, without I/O and without any other room of penstock.

Only `penstock.errors` may be imported here, so that every room can use this one.
"""
