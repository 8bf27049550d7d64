"""Lab networks: a small Neutron for one machine, so that a first server has a network. NOT FOR PRODUCTION.

It speaks the Networking API v2.0 as its stock clients use it, and builds what it answers on this one host: Linux
bridges, dnsmasq, nftables tables named ``kilonova``, and a
proxy that leads guests to the metadata service.
IPv4 only; all subnets of the lab share one routing table, so they must not overlap.
"""
