"""Serial port with its log, screens, pointer, and channels to agents inside."""

from dataclasses import replace

from kilonova.hypervisor.libvirt.builders.plan import Plan
from kilonova.hypervisor.libvirt.options import SpiceOptions
from kilonova.hypervisor.libvirt.xml import domain as xml
from kilonova.hypervisor.libvirt.xml import spice as wire

AGENT = "org.qemu.guest_agent.0"
_YES = frozenset({"yes", "true", "1", "on"})


def serial(plan: Plan, domain: xml.Domain) -> xml.Domain:
    """The log is appended to, so that it survives a power cycle and can be cut back in place."""
    log, target = xml.LogFile(file=str(plan.console_log)), xml.PortTarget(port=0)
    if plan.serial_port is None:
        port = xml.Serial(log=log, target=target)
    else:
        listen = xml.SerialSource(mode="bind", host=plan.options.serial.proxyclient_address, service=plan.serial_port)
        port = xml.Serial(type="tcp", source=listen, protocol=xml.Protocol(), log=log, target=target)
    return replace(domain, devices=replace(domain.devices, serials=(port,)))


def channels(plan: Plan, domain: xml.Domain) -> xml.Domain:
    """Ways to programs inside: QEMU's guest agent where the image has one, SPICE's where there is a SPICE screen."""
    found = []
    if plan.image_property("hw_qemu_guest_agent", "no").lower() in _YES:
        found.append(xml.Channel(type="unix", target=xml.ChannelTarget(name=AGENT)))
    if plan.options.spice.enabled and plan.options.spice.agent_enabled:
        found.append(xml.Channel(type="spicevmc", target=xml.ChannelTarget(name="com.redhat.spice.0")))
    return replace(domain, devices=replace(domain.devices, channels=tuple(found)))


def graphics(plan: Plan, domain: xml.Domain) -> xml.Domain:
    """Screens on ports libvirt picks, and the pointer that lets a browser's cursor match the guest's."""
    vnc, spice = plan.options.vnc, plan.options.spice
    screens: tuple[xml.Graphics, ...] = ()
    if vnc.enabled:
        screens = (xml.Graphics(type="vnc", autoport=True, listen=xml.Listen(address=vnc.server_listen)),)
    if spice.enabled:
        screens = (*screens, _spice(spice))
    if not screens:
        return domain
    usual = "vga" if plan.arch in {"x86_64", "i686"} else "virtio"
    video = xml.Video(model=xml.VideoModel(type=plan.image_property("hw_video_model", usual)))
    inputs: tuple[xml.Input, ...] = ()
    if plan.options.storage.pointer_model == "usbtablet":
        inputs = (xml.Input(type="tablet", bus=plan.image_property("hw_input_bus", "usb")),)
    return replace(domain, devices=replace(domain.devices, graphics=screens, videos=(video,), inputs=inputs))


def _spice(options: SpiceOptions) -> xml.Graphics:
    image, jpeg, zlib = options.image_compression, options.jpeg_compression, options.zlib_compression
    sound, streaming = options.playback_compression, options.streaming_mode
    return xml.Graphics(
        type="spice",
        autoport=True,
        default_mode="secure" if options.require_secure else None,
        listen=xml.Listen(address=options.server_listen),
        image=wire.ImageCompression(compression=image) if image else None,
        jpeg=wire.JpegCompression(compression=jpeg) if jpeg else None,
        zlib=wire.ZlibCompression(compression=zlib) if zlib else None,
        playback=None if sound is None else wire.PlaybackCompression(compression="on" if sound else "off"),
        streaming=wire.Streaming(mode=streaming) if streaming else None,
    )
