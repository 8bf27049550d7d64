"""Every verb the journal can run, by name."""

from kilonova.operations import (
    attach_interface,
    build,
    create_image,
    delete,
    detach_interface,
    pause,
    reboot,
    refresh_network,
    resume,
    start,
    stop,
    suspend,
    unpause,
)
from kilonova.operations.accepting import NoFields
from kilonova.operations.journal import Verb

_ALL = (
    Verb("create", build.Build, build.run),
    Verb("delete", NoFields, delete.run),
    Verb("start", NoFields, start.run),
    Verb("stop", NoFields, stop.run),
    Verb("reboot", reboot.Reboot, reboot.run),
    Verb("reboot_hard", reboot.Reboot, reboot.run),
    Verb("pause", NoFields, pause.run),
    Verb("unpause", NoFields, unpause.run),
    Verb("suspend", NoFields, suspend.run),
    Verb("resume", NoFields, resume.run),
    Verb(refresh_network.VERB, NoFields, refresh_network.run),
    Verb("attach_interface", attach_interface.AttachInterface, attach_interface.run),
    Verb("detach_interface", detach_interface.DetachInterface, detach_interface.run),
    Verb("create_image", create_image.CreateImage, create_image.run),
)

VERBS = {verb.name: verb for verb in _ALL}
