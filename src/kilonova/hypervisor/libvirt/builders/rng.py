"""The random number device."""

from dataclasses import replace

from kilonova.hypervisor.libvirt.builders.plan import Plan
from kilonova.hypervisor.libvirt.xml import domain as xml


def rng(plan: Plan, domain: xml.Domain) -> xml.Domain:
    """On unless the flavor says ``hw_rng:allowed`` False; its rate is the flavor's to limit."""
    specs = plan.spec.extra_specs
    if specs.get("hw_rng:allowed", "true").lower() in {"false", "0", "no"}:
        return domain
    rate = None
    if "hw_rng:rate_bytes" in specs:
        rate = xml.RngRate(bytes=int(specs["hw_rng:rate_bytes"]), period=int(specs.get("hw_rng:rate_period", "1000")))
    device = xml.Rng(rate=rate, backend=xml.RngBackend(path=plan.options.libvirt.rng_dev_path))
    return replace(domain, devices=replace(domain.devices, rng=device))
