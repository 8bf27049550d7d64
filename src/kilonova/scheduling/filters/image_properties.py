"""ImagePropertiesFilter: architecture, hypervisor and guest mode of the image."""

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from kilonova.scheduling.context import SelectionContext
from kilonova.scheduling.filters.contract import HostFilter
from kilonova.scheduling.hosts import HostState
from kilonova.scheduling.request import ServerRequest

_ARCHITECTURES = {
    "i386": "i686",
    "i486": "i686",
    "i586": "i686",
    "x86_32": "i686",
    "amd64": "x86_64",
    "arm64": "aarch64",
}
_MODES = {"hv": "hvm", "baremetal": "hvm", "pv": "xen"}
_PREDICATE = re.compile(r"\s*(<=|>=|<|>|==|!=|=)\s*(\d+(?:\.\d+)*)\s*")
_KEYS = (("hw_architecture", "architecture"), ("img_hv_type", "hypervisor_type"), ("hw_vm_mode", "vm_mode"))
_VERSION_KEYS = ("img_hv_requested_version", "hypervisor_version_requires")


class ImagePropertiesFilter(HostFilter):
    """The host must offer one combination of architecture, hypervisor and mode that fits the image."""

    name: ClassVar[str] = "ImagePropertiesFilter"
    user_words: ClassVar[str] = "cannot run the image's architecture, hypervisor type or machine mode"

    def applies(self, request: ServerRequest, context: SelectionContext) -> bool:
        return any(_wanted(request, context)) or _version(request.image_properties) is not None

    def passes(self, host: HostState, request: ServerRequest, context: SelectionContext) -> bool:
        return self.prepared(request, context)(host)

    def prepared(self, request: ServerRequest, context: SelectionContext) -> Callable[[HostState], bool]:
        wanted, needed = _wanted(request, context), _version(request.image_properties)
        verdicts: dict[tuple[Any, int], bool] = {}  # hosts of one kind report the same

        def passes(host: HostState) -> bool:
            kind = (host.supported_instances, host.hypervisor_version)
            verdict = verdicts.get(kind)
            if verdict is None:
                verdict = verdicts[kind] = _offers(host, wanted) and _version_fits(host, needed)
            return verdict

        return passes

    def reason(self, host: HostState, request: ServerRequest, context: SelectionContext) -> str:
        wanted = _wanted(request, context)
        if not _offers(host, wanted):
            asked = ", ".join(word or "any" for word in wanted)
            offered = "; ".join(", ".join(kinds) for kinds in host.supported_instances) or "nothing"
            return f"the image wants ({asked}), the host offers {offered}"
        needed = _version(request.image_properties)
        return f"hypervisor version {host.hypervisor_version} is not {needed}"


def _wanted(request: ServerRequest, context: SelectionContext) -> tuple[str | None, str | None, str | None]:
    """Architecture, hypervisor type and mode the image names, in canonical spelling."""
    properties = request.image_properties
    architecture, hypervisor, mode = (_property(properties, names) for names in _KEYS)
    if architecture is None:
        architecture = context.options.filters.image_properties_default_architecture
    return _canonical(architecture, _ARCHITECTURES), _canonical(hypervisor, {}), _canonical(mode, _MODES)


def _property(properties: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    return next((str(properties[name]) for name in names if properties.get(name)), None)


def _canonical(word: str | None, aliases: Mapping[str, str]) -> str | None:
    return None if word is None else aliases.get(word.lower(), word.lower())


def _offers(host: HostState, wanted: tuple[str | None, ...]) -> bool:
    if not any(wanted):
        return True
    return any(
        all(want is None or want == have.lower() for want, have in zip(wanted, offer, strict=True))
        for offer in host.supported_instances
    )


def _version(properties: Mapping[str, Any]) -> str | None:
    value = next((properties[name] for name in _VERSION_KEYS if properties.get(name)), None)
    return ",".join(value) if isinstance(value, list | tuple) else value


def _version_fits(host: HostState, needed: str | None) -> bool:
    """Predicates like ``>=6.0,<8``; a version number 6002001 means 6.2.1."""
    if needed is None:
        return True
    major, rest = divmod(host.hypervisor_version, 1_000_000)
    have = (major, *divmod(rest, 1000))
    return all(_compare(have, predicate) for predicate in needed.split(","))


def _compare(have: tuple[int, ...], predicate: str) -> bool:
    found = _PREDICATE.fullmatch(predicate)
    if found is None:
        return False
    sign, text = found.groups()
    numbers = tuple(int(part) for part in text.split("."))
    wanted = numbers + (0,) * (len(have) - len(numbers))
    order = (have > wanted) - (have < wanted)
    return order in {"<": (-1,), "<=": (-1, 0), ">": (1,), ">=": (0, 1), "!=": (-1, 1)}.get(sign, (0,))
