"""Databases: engines, units of work, statement counts, retries. The only place besides ``store`` with SQLAlchemy."""
