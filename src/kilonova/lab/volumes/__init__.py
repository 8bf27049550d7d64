"""A small volume service for the one-machine cloud: Cinder's API v3 as far as compute and its clients need it."""
