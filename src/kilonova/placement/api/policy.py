"""Policy rules, with upstream's names and defaults."""

from kilonova.kit.policy import Rule

_ADMIN = "role:admin"
_PROJECT = ("project",)
_BASES = (
    Rule("admin_api", _ADMIN, "Administrators", scopes=_PROJECT),
    Rule("service_api", "role:service", "Other services of the cloud", older=_ADMIN, scopes=_PROJECT),
    Rule("admin_or_service_api", "role:admin or role:service", "Most of placement", older=_ADMIN, scopes=_PROJECT),
    Rule("project_reader_api", "role:reader and project_id:%(project_id)s", "Readers of the project", older=_ADMIN),
    Rule(
        "admin_or_project_reader_or_service_api",
        "role:admin or rule:project_reader_api or role:service",
        "What a project may know of itself",
        older=_ADMIN,
        scopes=_PROJECT,
    ),
)
"""What the others refer to; a policy file may change them."""

_P = "/resource_providers"
_ONE = "/resource_providers/{uuid}"
_TABLE: tuple[tuple[str, str, str], ...] = (
    ("resource_classes:list", "GET", "/resource_classes"),
    ("resource_classes:create", "POST", "/resource_classes"),
    ("resource_classes:show", "GET", "/resource_classes/{name}"),
    ("resource_classes:update", "PUT", "/resource_classes/{name}"),
    ("resource_classes:delete", "DELETE", "/resource_classes/{name}"),
    ("resource_providers:list", "GET", _P),
    ("resource_providers:create", "POST", _P),
    ("resource_providers:show", "GET", _ONE),
    ("resource_providers:update", "PUT", _ONE),
    ("resource_providers:delete", "DELETE", _ONE),
    ("resource_providers:inventories:list", "GET", f"{_ONE}/inventories"),
    ("resource_providers:inventories:create", "POST", f"{_ONE}/inventories"),
    ("resource_providers:inventories:show", "GET", f"{_ONE}/inventories/{{resource_class}}"),
    ("resource_providers:inventories:update", "PUT", f"{_ONE}/inventories/{{resource_class}}"),
    ("resource_providers:inventories:delete", "DELETE", f"{_ONE}/inventories/{{resource_class}}"),
    ("resource_providers:usages", "GET", f"{_ONE}/usages"),
    ("resource_providers:aggregates:list", "GET", f"{_ONE}/aggregates"),
    ("resource_providers:aggregates:update", "PUT", f"{_ONE}/aggregates"),
    ("resource_providers:allocations:list", "GET", f"{_ONE}/allocations"),
    ("resource_providers:traits:list", "GET", f"{_ONE}/traits"),
    ("resource_providers:traits:update", "PUT", f"{_ONE}/traits"),
    ("resource_providers:traits:delete", "DELETE", f"{_ONE}/traits"),
    ("allocations:manage", "POST", "/allocations"),
    ("allocations:list", "GET", "/allocations/{consumer_uuid}"),
    ("allocations:update", "PUT", "/allocations/{consumer_uuid}"),
    ("allocations:delete", "DELETE", "/allocations/{consumer_uuid}"),
    ("allocation_candidates:list", "GET", "/allocation_candidates"),
    ("traits:list", "GET", "/traits"),
    ("traits:show", "GET", "/traits/{name}"),
    ("traits:update", "PUT", "/traits/{name}"),
    ("traits:delete", "DELETE", "/traits/{name}"),
)


def _rule(name: str, base: str, method: str, path: str) -> Rule:
    return Rule(f"placement:{name}", f"rule:{base}", operations=((method, path),), scopes=_PROJECT)


RULES: tuple[Rule, ...] = (
    *_BASES,
    *(_rule(name, "admin_or_service_api", method, path) for name, method, path in _TABLE),
    _rule("usages", "admin_or_project_reader_or_service_api", "GET", "/usages"),
    _rule("reshaper:reshape", "service_api", "POST", "/reshaper"),
)
