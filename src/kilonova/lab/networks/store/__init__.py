"""Where the lab's networks are remembered: one SQLite file."""
