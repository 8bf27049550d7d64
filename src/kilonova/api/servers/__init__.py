"""Servers: create, list, show, update, delete, and a file for each action."""
