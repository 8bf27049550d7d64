"""Who may see and change an image: the rules of Glance's default policy, without a policy file."""

from kilonova.kit.context import Context
from kilonova.kit.errors import Forbidden
from kilonova.lab.images.store.images import ImageNotFound, ImageStore, Row


class NotAllowed(Forbidden):
    """The caller may see the image but not do this."""

    template = "You are not authorized to complete {action} action."


class Protected(Forbidden):
    """The image must not be deleted."""

    template = "Image {image_id} is protected and cannot be deleted."


def visible(store: ImageStore, context: Context, image_id: str) -> Row:
    """The image, if the caller may see it. Raises ImageNotFound."""
    row = store.get(image_id)
    if context.is_admin or row["visibility"] in ("public", "community") or owns(context, row):
        return row
    if row["visibility"] == "shared" and any(m["member_id"] == context.project_id for m in store.members(image_id)):
        return row
    raise ImageNotFound(image_id=image_id)


def changeable(store: ImageStore, context: Context, image_id: str, action: str) -> Row:
    """The image, if the caller may change it. Raises ImageNotFound, NotAllowed."""
    row = visible(store, context, image_id)
    demand_writer(context, action)
    if not context.is_admin and not owns(context, row):
        raise NotAllowed(action=action)
    return row


def owns(context: Context, row: Row) -> bool:
    """Is it an image of the caller's project?"""
    return row["owner"] is not None and row["owner"] == context.project_id


def demand_writer(context: Context, action: str) -> None:
    """Raises NotAllowed for callers who only read."""
    if not {"admin", "member"} & set(context.roles):
        raise NotAllowed(action=action)


def demand_publisher(context: Context, visibility: str) -> None:
    """Raises NotAllowed when a caller who is no admin makes an image public."""
    if visibility == "public" and not context.is_admin:
        raise NotAllowed(action="publicize_image")
