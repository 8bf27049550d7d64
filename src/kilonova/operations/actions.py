"""Every verb the journal can run, by name."""

from kilonova.operations import (
    attach_interface,
    build,
    create_backup,
    create_image,
    delete,
    detach_interface,
    pause,
    reboot,
    rebuild,
    refresh_network,
    rescue,
    restore,
    resume,
    shelve,
    soft_delete,
    start,
    stop,
    suspend,
    trigger_crash_dump,
    unpause,
    unrescue,
    unshelve,
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
    Verb("create_backup", create_backup.CreateBackup, create_backup.run),
    Verb("rebuild", rebuild.Rebuild, rebuild.run),
    Verb("rescue", rescue.Rescue, rescue.run),
    Verb("unrescue", NoFields, unrescue.run),
    Verb("soft_delete", NoFields, soft_delete.run),
    Verb("restore", NoFields, restore.run),
    Verb("trigger_crash_dump", NoFields, trigger_crash_dump.run),
    Verb("shelve", shelve.Shelve, shelve.run),
    Verb("shelve_offload", NoFields, shelve.run_offload),
    Verb("unshelve", unshelve.Unshelve, unshelve.run),
)

VERBS = {verb.name: verb for verb in _ALL}
