"""Access to the registry: the role that each request needs, and who sends it."""
