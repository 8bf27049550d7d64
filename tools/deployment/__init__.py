"""Kilonova's separate processes beside real companion services: for tests and the bench."""
