"""What the endpoints work with, handed to every call as ``call.app``."""

from dataclasses import dataclass

from kilonova.kit.clock import Clock
from kilonova.kit.http.endpoint import Call
from kilonova.metadata.askers import Asker, Askers
from kilonova.metadata.options import MetadataOptions


@dataclass(frozen=True)
class Metadata:
    """The wired collaborators of the metadata service."""

    askers: Askers
    options: MetadataOptions
    clock: Clock


def asker(call: Call) -> Asker:
    """The server that asks. Raises what ``Askers.find`` raises."""
    found: Asker = call.app.askers.find(call.headers, call.sender)
    return found
