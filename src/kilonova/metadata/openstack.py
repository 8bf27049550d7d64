"""``/openstack``: versions, their files, injected content, the guest's password."""

from typing import Any

from kilonova.domain import guest_data
from kilonova.kit.errors import Conflict, Invalid, NotFound
from kilonova.kit.http.endpoint import Call, Endpoint, Reply
from kilonova.metadata.wiring import asker
from kilonova.store import server_passwords

TEXT = "text/plain; charset=UTF-8"
_JSON = "application/json"
BINARY = "text/plain; charset=ISO-8859-1"
"""Bytes as they are: Neutron's metadata agent decodes and encodes every reply by its charset, and fails without one."""
_LONGEST_PASSWORD = 4 * 255
"""Bytes; what a guest encrypts with an RSA key and encodes is far shorter."""


class NothingHere(NotFound):
    """There is no such document."""

    template = "The resource could not be found."


def text(value: str) -> Reply:
    """A reply of plain text."""
    return Reply(value.encode(), content_type=TEXT)


def versions(call: Call) -> Reply:
    """One version a line."""
    asker(call)
    return text("\n".join(guest_data.VERSIONS))


def listing(call: Call) -> Reply:
    """The files of a version."""
    _cell, row = asker(call)
    return text("\n".join(guest_data.listing(row, _version(call))))


def file(call: Call) -> Reply:
    """One file."""
    _cell, row = asker(call)
    version, name = _version(call), call.params["name"]
    try:
        content = guest_data.file(name, version, row, call.app.options.guest)
    except KeyError:
        raise NothingHere from None
    return Reply(content, content_type=_JSON if name.endswith(".json") else BINARY)


def content(call: Call) -> Reply:
    """A file given at the server's creation."""
    _cell, row = asker(call)
    files = guest_data.injected_files(row)
    number = call.params["number"]
    if not (number.isascii() and number.isdigit()) or int(number) >= len(files):
        raise NothingHere
    return Reply(files[int(number)][1], content_type=BINARY)


def password(call: Call) -> Reply:
    """What the guest stored, empty when nothing."""
    _version_with_password(call)
    cell, row = asker(call)
    with cell.database.read() as connection:
        return text(server_passwords.get(connection, row["uuid"]))


def set_password(call: Call) -> Reply:
    """The guest stores its password, encrypted with the user's key; once."""
    _version_with_password(call)
    cell, row = asker(call)
    data: Any = call.stream.read(_LONGEST_PASSWORD + 1) if call.stream else b""
    if len(data) > _LONGEST_PASSWORD:
        raise Invalid(f"The password is longer than {_LONGEST_PASSWORD} bytes")
    try:
        value = data.decode()
    except UnicodeDecodeError:
        raise Invalid("The password is not text; encode it (base64)") from None
    with cell.database.write() as connection:
        if not server_passwords.put(connection, row["uuid"], value):
            raise Conflict("The password is set already; the user has to clear it first")
    return Reply()


def _version(call: Call) -> str:
    version = call.params["version"]
    if version not in guest_data.VERSIONS:
        raise NothingHere
    return version


def _version_with_password(call: Call) -> None:
    if _version(call) < "2013-04-04":
        raise NothingHere


_VERSION = "/openstack/{version}"
ENDPOINTS = (
    Endpoint(method="GET", path="/openstack", handler=versions, summary="List versions"),
    Endpoint(method="GET", path="/openstack/content/{number}", handler=content, summary="Read an injected file"),
    Endpoint(method="GET", path=_VERSION, handler=listing, summary="List a version's files"),
    Endpoint(method="GET", path=_VERSION + "/password", handler=password, raw_body=True, summary="Read the password"),
    Endpoint(method="POST", path=_VERSION + "/password", handler=set_password, raw_body=True, summary="Set it"),
    Endpoint(method="GET", path=_VERSION + "/{name}", handler=file, summary="Read a file"),
)
