"""A small identity service for one machine: Keystone's v3 API, so that stock clients work. Not for production."""
