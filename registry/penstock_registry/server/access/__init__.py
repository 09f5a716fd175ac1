"""Who may do what here: which request needs which role, and who asks."""
