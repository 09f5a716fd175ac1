"""The election of the registry that writes, and the way of writes from the others to it."""
