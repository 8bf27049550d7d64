"""Serial port with its log, screen, keyboard and pointer."""

from dataclasses import replace

from kilonova.hypervisor.libvirt.builders.plan import Plan
from kilonova.hypervisor.libvirt.xml import domain as xml


def serial(plan: Plan, domain: xml.Domain) -> xml.Domain:
    """The log is appended to, so that it survives a power cycle and can be cut back in place."""
    port = xml.Serial(
        log=xml.LogFile(file=str(plan.console_log)),
        target=xml.PortTarget(port=0),
    )
    return replace(domain, devices=replace(domain.devices, serials=(port,)))


def graphics(plan: Plan, domain: xml.Domain) -> xml.Domain:
    """A VNC server on a port libvirt picks, and the pointer that lets a browser's cursor match the guest's."""
    if not plan.options.vnc.enabled:
        return domain
    screen = xml.Graphics(type="vnc", autoport=True, listen=xml.Listen(address=plan.options.vnc.server_listen))
    usual = "vga" if plan.arch in {"x86_64", "i686"} else "virtio"
    video = xml.Video(model=xml.VideoModel(type=plan.image_property("hw_video_model", usual)))
    inputs: tuple[xml.Input, ...] = ()
    if plan.options.storage.pointer_model == "usbtablet":
        inputs = (xml.Input(type="tablet", bus=plan.image_property("hw_input_bus", "usb")),)
    return replace(domain, devices=replace(domain.devices, graphics=(screen,), videos=(video,), inputs=inputs))
