"""The image service, put together.

::

    images = open_images(Database(DatabaseOptions(connection="sqlite:////var/lib/…/images.db")), Path("/var/lib/…"))
    ThreadedServer(build(images, auth), "127.0.0.1", 9292, name="image").start()
"""

import logging
from pathlib import Path

from kilonova.kit.clock import Clock, SystemClock
from kilonova.kit.db.engine import Database
from kilonova.kit.http.app import Application, Authenticator, Service
from kilonova.kit.http.endpoint import Endpoint
from kilonova.kit.http.errors import image_format
from kilonova.lab.images.api import data, images, members, schemas, versions
from kilonova.lab.images.files import ImageFiles
from kilonova.lab.images.parts import Images
from kilonova.lab.images.store.images import ImageStore

LOG = logging.getLogger(__name__)
_ROOMS = (versions, schemas, images, data, members)


def open_images(database: Database, directory: Path, clock: Clock | None = None) -> Images:
    """The parts over a database and a directory, both made when missing. Raises WrongSchema.

    One process serves them at a time: uploads that were under way in an earlier one start over.
    """
    store, files = ImageStore(database), ImageFiles(directory)
    files.clear_incoming()
    stuck = store.requeue()
    if stuck:
        LOG.warning("%s unfinished image uploads wait for data again", stuck)
    return Images(store, files, clock or SystemClock())


def endpoints() -> list[Endpoint]:
    """Everything the service answers."""
    return [endpoint for room in _ROOMS for endpoint in room.ENDPOINTS]


def build(parts: Images, auth: Authenticator) -> Application:
    """The WSGI application."""
    return Application(
        Service(
            name="image",
            endpoints=endpoints(),
            app=parts,
            auth=auth,
            error_format=image_format,
            request_id_headers=("x-openstack-request-id",),
        )
    )
