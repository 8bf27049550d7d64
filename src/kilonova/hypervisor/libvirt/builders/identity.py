"""Name, UUID, our own metadata, and what SMBIOS tells the guest about itself."""

import re
from dataclasses import replace

from kilonova.hypervisor.contracts import GuestSpec
from kilonova.hypervisor.libvirt.builders.plan import Plan
from kilonova.hypervisor.libvirt.xml import domain as xml

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _note(spec: GuestSpec) -> xml.GuestNote:
    return xml.GuestNote(
        uuid=spec.uuid,
        display_name=_NOT_XML.sub("?", spec.display_name),
        owner=xml.Owner(project=spec.project_id, user=spec.user_id),
        flavor=xml.FlavorNote(
            name=_NOT_XML.sub("?", spec.flavor_name),
            vcpus=spec.vcpus,
            memory_mb=spec.memory_mb,
            root_gb=spec.root_gb,
            ephemeral_gb=sum(spec.ephemerals_gb),
            swap_mb=spec.swap_mb,
        ),
        image=xml.ImageNote(id=spec.image.id) if spec.image and spec.image.id else None,
    )


def identity(plan: Plan, domain: xml.Domain) -> xml.Domain:
    """Cloud-init knows an OpenStack guest by the SMBIOS product name ``OpenStack Nova``."""
    spec = plan.spec
    entries = {
        "manufacturer": "OpenStack Foundation",
        "product": "OpenStack Nova",
        "serial": spec.uuid,
        "uuid": spec.uuid,
        "family": "Virtual Machine",
    }
    system = xml.System(entries=tuple(xml.Entry(name=name, value=value) for name, value in entries.items()))
    return replace(
        domain,
        name=spec.name,
        uuid=spec.uuid,
        metadata=xml.Metadata(guest=_note(spec)),
        sysinfo=xml.SysInfo(system=system) if plan.arch in {"x86_64", "i686"} else None,
    )
