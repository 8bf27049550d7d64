"""``nova-manage``: databases, cells and repairs from the command line; one module for each group of commands."""

from kilonova.cli.manage.program import main

__all__ = ["main"]
