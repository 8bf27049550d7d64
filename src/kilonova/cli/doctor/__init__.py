"""``kilonova doctor``: one module for each group of checks, and a row in ``registry`` for each."""
