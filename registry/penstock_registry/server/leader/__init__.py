"""Which of several registries writes, and how the others pass writes on to it."""
