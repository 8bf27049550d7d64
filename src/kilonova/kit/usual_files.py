"""Whether this user may read configuration where it usually is.

Its directory is for root and the services' user (`packaging/tmpfiles.d`). Who else looks finds nothing there, as if
there were none: then defaults would be used, and complaints be about those.
"""

import os
import pwd
from pathlib import Path


def closed(folder: Path) -> str | None:
    """Why the configuration in ``/etc/PROJECT`` cannot be read; None where it can, or there is none."""
    for place, right in ((folder, os.R_OK | os.X_OK), (folder / f"{folder.name}.conf", os.R_OK)):
        if place.exists() and not os.access(place, right):
            return f"{place} may not be read by {_me()}; run this as root or as the user of the services"
    return None


def readable(path: Path) -> bool:
    """Is there such a file, for this user?"""
    return os.access(path, os.R_OK)


def _me() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"user {os.geteuid()}"
