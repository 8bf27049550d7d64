"""The networks and security groups a new server asks for, checked with the network service."""

from collections.abc import Mapping, Sequence
from typing import Any

from kilonova.clients.neutron.contract import NetworkNotFound, PortNotFound, SecurityGroupNotFound
from kilonova.clients.neutron.facts import NetworkRequest
from kilonova.kit import codec
from kilonova.kit.errors import Invalid
from kilonova.kit.http.endpoint import Call

_ATTACH_RULE = "os_compute_api:servers:create:attach_network"


def resolve(call: Call, body: Mapping[str, Any], count: int) -> tuple[list[Any], list[dict[str, Any]]]:
    """NIC requests (packed) and security groups (name and id). What the body names and is not there is 400."""
    wanted = body.get("networks")
    names = [group["name"] for group in body.get("security_groups", ()) if "name" in group] or ["default"]
    names = list(dict.fromkeys(names))
    if wanted == "none" or call.app.networks is None:
        return [], [{"name": name} for name in names]
    if isinstance(wanted, list) and wanted:
        call.demand(_ATTACH_RULE, {"project_id": call.context.project_id})
    try:
        requests = call.app.networks.validate(call.context, call.context.project_id, _wanted(wanted), count)
        groups = _security_groups(call, names)
    except (NetworkNotFound, PortNotFound) as error:
        raise Invalid(f"networks: {error}") from None
    except SecurityGroupNotFound as error:
        raise Invalid(f"security_groups: {error}") from None
    return [codec.pack(request) for request in requests], groups


def _wanted(wanted: Any) -> Any:
    if wanted is None or wanted == []:
        return None
    if wanted == "auto":
        return "auto"
    return tuple(_request(entry) for entry in wanted)


def _request(entry: Mapping[str, Any]) -> NetworkRequest:
    network, port, address = entry.get("uuid"), entry.get("port"), entry.get("fixed_ip")
    if not network and not port:
        raise Invalid("networks: each entry needs a uuid or a port")
    if port and address:
        raise Invalid(f"networks.fixed_ip: Specified Fixed IP '{address}' cannot be used with port '{port}'")
    return NetworkRequest(network_id=None if port else network, port_id=port, fixed_ip=address, tag=entry.get("tag"))


def _security_groups(call: Call, names: Sequence[str]) -> list[dict[str, Any]]:
    if list(names) == ["default"]:
        return [{"name": "default"}]
    ids = call.app.networks.security_groups(call.context, call.context.project_id, names)
    found = call.app.networks.security_group_names(ids)
    return [{"name": found.get(ident, name), "id": ident} for name, ident in zip(names, ids, strict=True)]
