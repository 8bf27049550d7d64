"""Every route of the service."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from kilonova.kit.context import Context
from kilonova.kit.errors import Invalid
from kilonova.kit.http.endpoint import Call, Endpoint, Reply
from kilonova.lab.networks import (
    catalog,
    errors,
    floating_ips,
    networks,
    ports,
    query,
    quotas,
    resources,
    routers,
    security_groups,
    subnets,
    tags,
    topology,
)
from kilonova.lab.networks.plumbing import Abilities
from kilonova.lab.networks.resources import Resource, body_of, view
from kilonova.lab.networks.store.documents import Document
from kilonova.lab.networks.work import Caller, Work, caller_of

T = TypeVar("T")
RESOURCES = (
    networks.RESOURCE,
    subnets.RESOURCE,
    ports.RESOURCE,
    routers.RESOURCE,
    floating_ips.RESOURCE,
    security_groups.RESOURCE,
    security_groups.RULE_RESOURCE,
)


class Lab(Protocol):
    """What the handlers need of the service."""

    def look(self, context: Context, work: Callable[[Work], T]) -> T: ...

    def change(self, caller: Caller, work: Callable[[Work], T]) -> T: ...

    def abilities(self) -> Abilities: ...


def _look(call: Call, work: Callable[[Work], T]) -> T:
    lab: Lab = call.app
    return lab.look(call.context, work)


def _change(call: Call, work: Callable[[Work], T]) -> T:
    lab: Lab = call.app
    return lab.change(caller_of(call.context), work)


def fetch(resource: Resource, work: Work, document_id: str) -> Document:
    """A document that the caller sees. Raises …NotFound."""
    found = resource.visible(work, [work.must(resource.kind, document_id)])
    if not found:
        raise errors.NOT_FOUND[resource.kind](id=document_id)
    return found[0]


def _own(resource: Resource, work: Work, document_id: str) -> Document:
    document = fetch(resource, work, document_id)
    if not work.caller.owns(document):
        raise errors.NOT_FOUND[resource.kind](id=document_id)
    return document


def _collection(resource: Resource) -> list[Endpoint]:
    known = ["id", "project_id", "tenant_id", *(a.name for a in resource.attributes)]

    def wanted(call: Call, work: Work) -> list[Document]:
        ids = call.query.get("id")
        parents = call.query.get("network_id") if resource.kind in ("port", "subnet") else None
        devices = call.query.get("device_id") if resource.kind == "port" else None
        return work.docs.select(resource.kind, ids=ids, parents=parents, devices=devices)

    def list_(call: Call) -> Any:
        if resource.prepare is not None and _look(call, resource.needs_preparing):
            _change(call, resource.prepare)
        shown = _look(call, lambda work: view(resource, work, resource.visible(work, wanted(call, work))))
        shown = query.ordered(call, query.matching(call, shown, known), known)
        found, links = query.page(call, shown, resource.path)
        body: Document = {resource.plural: [query.chosen(call, document) for document in found]}
        return body | ({f"{resource.plural}_links": links} if links else {})

    def show(call: Call) -> Any:
        found = _look(call, lambda work: view(resource, work, [fetch(resource, work, call.params["id"])]))
        return {resource.kind: query.chosen(call, found[0])}

    def create(call: Call) -> Any:
        many = isinstance(call.body, dict) and resource.plural in call.body
        given = body_of(call.body, resource.plural if many else resource.kind)
        if many and not (isinstance(given, list) and given):
            raise Invalid(f"'{resource.plural}' must be a list with something in it")
        made = _change(call, lambda work: [resources.create(resource, work, g) for g in (given if many else [given])])
        ids = [document["id"] for document in made]
        # Read again: what the plumbing found out (a port's status) is part of the answer.
        found = _look(call, lambda work: view(resource, work, work.docs.select(resource.kind, ids=ids)))
        return {resource.plural: found} if many else {resource.kind: found[0]}

    def update(call: Call) -> Any:
        given = body_of(call.body, resource.kind)
        document_id = call.params["id"]
        _change(call, lambda work: resources.update(resource, work, _own(resource, work, document_id), given))
        found = _look(call, lambda work: view(resource, work, [work.must(resource.kind, document_id)]))
        return {resource.kind: found[0]}

    def delete(call: Call) -> None:
        _change(call, lambda work: resources.delete(resource, work, _own(resource, work, call.params["id"])))

    one = f"{resource.path}/{{id}}"
    found = [
        Endpoint(method="GET", path=resource.path, handler=list_),
        Endpoint(method="POST", path=resource.path, handler=create, status=201),
        Endpoint(method="GET", path=one, handler=show),
        Endpoint(method="DELETE", path=one, handler=delete, status=204),
    ]
    return [*found, Endpoint(method="PUT", path=one, handler=update)] if resource.updatable else found


def _tag_endpoints(resource: Resource) -> list[Endpoint]:
    def with_document(call: Call, work: Callable[[Work, Document], T]) -> T:
        return _change(call, lambda w: work(w, _own(resource, w, call.params["id"])))

    def list_(call: Call) -> Any:
        return {"tags": _look(call, lambda work: fetch(resource, work, call.params["id"])["tags"])}

    def replace(call: Call) -> Any:
        return {"tags": with_document(call, lambda w, d: tags.replace(w, resource.kind, d, call.body))}

    def clear(call: Call) -> None:
        with_document(call, lambda w, d: tags.replace(w, resource.kind, d, {"tags": []}))

    def check(call: Call) -> None:
        _look(call, lambda work: tags.check(fetch(resource, work, call.params["id"]), call.params["tag"]))

    def add(call: Call) -> Reply:
        with_document(call, lambda w, d: tags.add(w, resource.kind, d, call.params["tag"]))
        return Reply(status=201)

    def drop(call: Call) -> None:
        with_document(call, lambda w, d: tags.drop(w, resource.kind, d, call.params["tag"]))

    base = f"{resource.path}/{{id}}/tags"
    return [
        Endpoint(method="GET", path=base, handler=list_),
        Endpoint(method="PUT", path=base, handler=replace),
        Endpoint(method="DELETE", path=base, handler=clear, status=204),
        Endpoint(method="GET", path=f"{base}/{{tag}}", handler=check, status=204),
        Endpoint(method="PUT", path=f"{base}/{{tag}}", handler=add, status=201),
        Endpoint(method="DELETE", path=f"{base}/{{tag}}", handler=drop, status=204),
    ]


def _add_interface(call: Call) -> Any:
    return _change(call, lambda w: routers.add_interface(w, _own(routers.RESOURCE, w, call.params["id"]), call.body))


def _remove_interface(call: Call) -> Any:
    return _change(call, lambda w: routers.remove_interface(w, _own(routers.RESOURCE, w, call.params["id"]), call.body))


def _quota_project(call: Call) -> str:
    caller, project = caller_of(call.context), call.params["project"]
    if project != caller.project_id and not caller.privileged:
        raise errors.PolicyNotAuthorized(action="rule:get_quota")
    return project


def _quota_admin(call: Call) -> str:
    if not caller_of(call.context).privileged:
        raise errors.PolicyNotAuthorized(action="rule:update_quota")
    return call.params["project"]


def _show_quota(call: Call) -> Any:
    project = _quota_project(call)
    return {"quota": _look(call, lambda work: quotas.of_project(work, project))}


def _quota_details(call: Call) -> Any:
    project = _quota_project(call)
    return {"quota": _look(call, lambda work: quotas.usage(work, project))}


def _default_quota(call: Call) -> Any:
    _quota_project(call)
    return {"quota": dict(quotas.DEFAULTS)}


def _set_quota(call: Call) -> Any:
    project, given = _quota_admin(call), body_of(call.body, "quota")
    return {"quota": _change(call, lambda work: quotas.change(work, project, given))}


def _reset_quota(call: Call) -> None:
    project = _quota_admin(call)
    _change(call, lambda work: quotas.reset(work, project))


def _topology_project(call: Call) -> str:
    caller, project = caller_of(call.context), call.params["project"]
    if project in ("None", "null"):
        return caller.project_id
    if project != caller.project_id and not caller.privileged:
        raise errors.PolicyNotAuthorized(action="rule:get_auto_allocated_topology")
    return project


def _show_topology(call: Call) -> Any:
    project = _topology_project(call)
    if "dry-run" in call.query.get("fields", ()):
        # The host's own networks matter here, so it is asked as if something were to change.
        _change(call, topology.check)
        found = "dry-run=pass"
    else:
        found = _change(call, lambda work: topology.get_or_make(work, project))
    return {"auto_allocated_topology": {"id": found, "tenant_id": project, "project_id": project}}


def _delete_topology(call: Call) -> None:
    project = _topology_project(call)
    _change(call, lambda work: topology.remove(work, project))


_TAGGED = ("network", "subnet", "port", "router", "floatingip", "security_group")


def endpoints() -> list[Endpoint]:
    """The routing table."""
    found = list(catalog.ENDPOINTS)
    for resource in RESOURCES:
        found += _collection(resource)
        found += _tag_endpoints(resource) if resource.kind in _TAGGED else []
    router, quota = "/v2.0/routers/{id}", "/v2.0/quotas/{project}"
    auto = "/v2.0/auto-allocated-topology/{project}"
    return [
        *found,
        Endpoint(method="PUT", path=f"{router}/add_router_interface", handler=_add_interface),
        Endpoint(method="PUT", path=f"{router}/remove_router_interface", handler=_remove_interface),
        Endpoint(method="GET", path=quota, handler=_show_quota),
        Endpoint(method="GET", path=f"{quota}/details", handler=_quota_details),
        Endpoint(method="GET", path=f"{quota}/default", handler=_default_quota),
        Endpoint(method="PUT", path=quota, handler=_set_quota),
        Endpoint(method="DELETE", path=quota, handler=_reset_quota, status=204),
        Endpoint(method="GET", path=auto, handler=_show_topology),
        Endpoint(method="DELETE", path=auto, handler=_delete_topology, status=204),
    ]


def without_suffix(environ: dict[str, Any]) -> None:
    """Older clients write ``/networks.json``."""
    path = environ.get("PATH_INFO", "")
    if path.endswith(".json") and "/tags/" not in path:
        environ["PATH_INFO"] = path.removesuffix(".json")
