"""Making a backup: an image like any other, after which the oldest backups of its kind are deleted."""

import logging
from dataclasses import dataclass

from kilonova.kit.errors import KilonovaError
from kilonova.operations import create_image
from kilonova.operations.work import TRANSIENT, Outcome, Work

LOG = logging.getLogger(__name__)
_PAGE = 100


@dataclass(frozen=True)
class CreateBackup:
    """The command."""

    image_id: str
    backup_type: str
    rotation: int
    """How many backups of this type stay."""


def run(work: Work, command: CreateBackup) -> Outcome:
    """The image is active and the superfluous ones are gone; one that Glance protects stays."""
    outcome = create_image.run(work, create_image.CreateImage(command.image_id))
    work.step("rotate", lambda: _rotate(work, command))
    return outcome


def _rotate(work: Work, command: CreateBackup) -> list[str]:
    deleted = []
    for image_id in _backups(work, command.backup_type)[command.rotation :]:
        try:
            if work.tools.images.delete(None, image_id):
                deleted.append(image_id)
        except TRANSIENT:
            raise
        except KilonovaError as error:
            LOG.warning("Backup %s of %s stays: %s", image_id, work.uuid, error)
    return deleted


def _backups(work: Work, backup_type: str) -> list[str]:
    """Ids of the server's backups of a type, newest first."""
    wanted = [
        ("instance_uuid", work.uuid),
        ("image_type", "backup"),
        ("backup_type", backup_type),
        ("sort", "created_at:desc"),
        ("limit", str(_PAGE)),
    ]
    found: list[str] = []
    page = work.tools.images.list(None, wanted)
    while page:
        found += [image.id for image in page]
        page = work.tools.images.list(None, [*wanted, ("marker", found[-1])]) if len(page) == _PAGE else ()
    return found
