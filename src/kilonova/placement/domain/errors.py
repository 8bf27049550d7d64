"""What can go wrong in placement; codes are those of API 1.23 and later."""

from typing import ClassVar

from kilonova.kit.errors import Conflict, Invalid, NotFound


class ProviderNotFound(NotFound):
    """The path names a provider that does not exist."""

    template = "No resource provider with uuid {uuid} found"


class NoSuchProvider(Invalid):
    """A body names a provider that does not exist."""

    template = "Allocation for resource provider '{uuid}' that does not exist."
    code: ClassVar[str | None] = "placement.resource_provider.not_found"


class ParentNotFound(Invalid):
    """``parent_provider_uuid`` names a provider that does not exist."""

    template = "parent_provider_uuid: parent provider UUID '{uuid}' does not exist."


class ParentRefused(Invalid):
    """``parent_provider_uuid`` cannot be set to that value."""

    template = "parent_provider_uuid: {reason}"


class DuplicateName(Conflict):
    """A provider with this name or uuid is there already."""

    template = "Conflicting resource provider {field}: {value} already exists."
    code: ClassVar[str | None] = "placement.duplicate_name"


class ConcurrentUpdate(Conflict):
    """A generation is not the present one."""

    template = "{what} generation conflict: {detail}. Please update the generation and try again."
    code: ClassVar[str | None] = "placement.concurrent_update"


class ProviderInUse(Conflict):
    """A provider with allocations cannot go."""

    template = "Unable to delete resource provider {uuid}: Resource provider has allocations."
    code: ClassVar[str | None] = "placement.resource_provider.inuse"


class ProviderHasChildren(Conflict):
    """A provider with children cannot go."""

    template = (
        "Unable to delete parent resource provider {uuid}: It has child resource providers. "
        "Delete the child resource providers first."
    )
    code: ClassVar[str | None] = "placement.resource_provider.cannot_delete_parent"


class InventoryInUse(Conflict):
    """Inventory with allocations cannot go."""

    template = "Inventory for '{classes}' on resource provider '{uuid}' in use."
    code: ClassVar[str | None] = "placement.inventory.inuse"


class InventoryExists(Conflict):
    """The class has inventory on this provider already."""

    template = "Inventory of {name} on resource provider {uuid} already exists; update it instead."


class InventoryNotFound(NotFound):
    """No inventory of that class on that provider."""

    template = "No inventory of class {name} for {uuid}"


class NoInventoryToDelete(InventoryNotFound):
    """The same, where it was to go."""

    template = "No inventory of class {name} found for delete on resource provider {uuid}"


class NoInventoryToUpdate(Invalid):
    """An update needs inventory that is there."""

    template = "No inventory record with resource class {name} for resource provider {uuid} to update"


class BadInventory(Invalid):
    """Values of an inventory contradict each other."""

    template = "Unable to create or update inventory for '{name}': {reason}"


class NameNotFound(NotFound):
    """The path names a resource class or trait that does not exist."""

    template = "No such {kind}: {name}"


class UnknownNames(Invalid):
    """A body or query names classes or traits that do not exist."""

    template = "Unknown {kind}(s): {names}. No such {kind} exists."


class UnknownQueryNames(UnknownNames):
    """The same in a query string."""

    template = "Invalid query parameter {field}: {names}. No such {kind} exists."


class BadName(Invalid):
    """A custom name has the wrong form."""

    template = (
        "The {kind} name {name} is invalid. A valid name must start with 'CUSTOM_', be at most 255 long "
        "and use only the characters A-Z, 0-9 and _"
    )


class StandardName(Invalid):
    """Standard classes and traits can be neither changed nor deleted."""

    template = "Cannot {verb} standard {kind} {name}."


class NameInUse(Conflict):
    """A class with inventory or a trait of a provider cannot go."""

    template = "The {kind} {name} is in use by a resource provider."


class NameTaken(Conflict):
    """A class of that name is there already."""

    template = "Conflicting {kind} already exists: {name}"


class ClaimRefused(Conflict):
    """An allocation does not fit the inventory."""

    template = (
        "Unable to allocate inventory: Unable to create allocation for '{name}' on resource provider '{uuid}'. {reason}"
    )


class BadQuery(Invalid):
    """A query parameter cannot be understood."""

    template = "Invalid query parameter {field}: {reason}"
    code: ClassVar[str | None] = "placement.query.bad_value"


class DuplicateQueryKey(Invalid):
    """A query parameter that may stand once stands twice."""

    template = "Query parameter {field} may only be specified once."
    code: ClassVar[str | None] = "placement.query.duplicate_key"


class MissingQueryValue(Invalid):
    """A query parameter is needed."""

    template = "Query parameter {field}: {reason}"
    code: ClassVar[str | None] = "placement.query.missing_value"
