"""Migration steps, oldest first by their ``revision``."""
