"""Finding filters and weighers: ours by name or upstream's path, operators' by dotted path."""

import importlib
from collections.abc import Iterable, Mapping
from typing import TypeVar

from kilonova.scheduling.errors import BadSchedulerOption

T = TypeVar("T")


def plugins(
    paths: Iterable[str], built_in: Mapping[str, type[T]], contract: type[T], *, everything: str, option: str
) -> dict[str, type[T]]:
    """Classes by name.

    ``everything`` stands for all of ours; ``nova.scheduler…ClassName`` for one of ours; any other dotted path is
    imported and must be a subclass of ``contract``. Raises BadSchedulerOption.
    """
    found: dict[str, type[T]] = {}
    for path in paths:
        name = path.rpartition(".")[2]
        if path == everything:
            found.update(built_in)
        elif path.startswith("nova.scheduler.") and name in built_in:
            found[name] = built_in[name]
        else:
            found[name] = _imported(path, contract, option)
    return found


def _imported(path: str, contract: type[T], option: str) -> type[T]:
    module, _, name = path.rpartition(".")
    try:
        loaded = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise BadSchedulerOption(option=option, reason=f"{path!r} cannot be imported: {error}") from error
    if not (isinstance(loaded, type) and issubclass(loaded, contract)):
        raise BadSchedulerOption(option=option, reason=f"{path!r} is not a subclass of {contract.__name__}")
    return loaded
