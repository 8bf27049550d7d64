"""A small image service for one machine: Glance's v2 API, so that stock clients work. Not for production."""
