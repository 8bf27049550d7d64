"""Kilonova's separate processes beside real MariaDB, RabbitMQ, memcached, Keystone and Glance: for tests and the bench."""
