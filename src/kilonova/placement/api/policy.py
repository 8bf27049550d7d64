"""Policy rules, with upstream's names and defaults."""

from kilonova.kit.policy import Rule

ADMIN_OR_SERVICE = "role:admin or role:service"
SERVICE = "role:service"
PROJECT_READER = f"{ADMIN_OR_SERVICE} or (role:reader and project_id:%(project_id)s)"

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
RULES: tuple[Rule, ...] = (
    *(Rule(f"placement:{name}", ADMIN_OR_SERVICE, operations=((method, path),)) for name, method, path in _TABLE),
    Rule("placement:usages", PROJECT_READER, operations=(("GET", "/usages"),)),
    Rule("placement:reshaper:reshape", SERVICE, operations=(("POST", "/reshaper"),)),
)
