"""Preparing one machine for the all-in-one: packages, background processes, the hypervisor."""
