"""Every policy rule of the Compute API, with the names and defaults that operators' ``policy.yaml`` files expect.

The table is data (``policies.tsv``: rule, role, operations, summary); the words for roles are those of the conformance
tables. Base rules (``context_is_admin`` …) are rules too, so that a policy file may redefine them.
"""

import csv
import functools
import re
from importlib import resources
from typing import Any

from kilonova.kit.options import Configuration
from kilonova.kit.policy import Policy, Rule, checked, documented

BASE = (
    Rule("context_is_admin", "role:admin", "Decides who is an administrator"),
    Rule("admin_api", "is_admin:True", "Administrators (kept for existing policy files)"),
    Rule(
        "admin_or_owner",
        "is_admin:True or project_id:%(project_id)s",
        "Administrators and everyone in the project (kept for existing policy files)",
    ),
    Rule("project_manager_api", "role:manager and project_id:%(project_id)s", "Managers of the project"),
    Rule("project_member_api", "role:member and project_id:%(project_id)s", "Members of the project"),
    Rule("project_reader_api", "role:reader and project_id:%(project_id)s", "Readers of the project"),
    Rule("project_manager_or_admin", "rule:project_manager_api or rule:context_is_admin", "Managers, or admins"),
    Rule("project_member_or_admin", "rule:project_member_api or rule:context_is_admin", "Members, or admins"),
    Rule("project_reader_or_admin", "rule:project_reader_api or rule:context_is_admin", "Readers, or admins"),
    Rule("service_api", "role:service", "Other services of the cloud"),
    Rule("service_or_admin", "rule:service_api or rule:context_is_admin", "Other services, or admins"),
)

ROLES = {
    "admin": "rule:context_is_admin",
    "owner-manager": "rule:project_manager_or_admin",
    "owner-member": "rule:project_member_or_admin",
    "reader": "rule:project_reader_or_admin",
    "owner-user": "(rule:context_is_admin) or user_id:%(user_id)s",
    "service": "rule:service_or_admin",
    "any": "@",
    "nobody": "!",
}
"""What the table's words mean as check strings."""

_OLDER = {
    "owner-manager": "rule:admin_api",
    "owner-member": "rule:admin_or_owner",
    "reader": "rule:admin_or_owner",
    "service": "rule:admin_api",
}
"""Defaults before there were readers, members, managers and services, where they gave more or to others."""
_SCOPES = ("project",)
"""All of the Compute API is for tokens of projects."""

_OPERATION = re.compile(r"(?P<method>[A-Z]+) (?P<path>[^ ]+(?: \([A-Za-z_-]+\))?)")


@functools.cache
def rules() -> tuple[Rule, ...]:
    """All rules: the base, then the table's, sorted by name."""
    text = resources.files("kilonova.api").joinpath("policies.tsv").read_text()
    rows = csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    return BASE + tuple(
        Rule(
            row["rule"],
            ROLES[row["role"]],
            row["summary"],
            _operations(row["operations"]),
            older=_OLDER.get(row["role"]),
            scopes=_SCOPES,
        )
        for row in rows
    )


def _operations(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((m["method"], m["path"]) for m in _OPERATION.finditer(text))


def policy(configuration: Configuration, *, policy_file: str | None = None) -> Policy:
    """The Compute API's policy over what ``[oslo_policy]`` names."""
    return Policy(rules(), configuration, policy_file=policy_file)


def for_generators() -> list[Any]:
    """What ``oslopolicy-sample-generator --namespace nova`` and its siblings ask for."""
    return documented(rules())


def for_checkers() -> Any:
    """What ``oslopolicy-list-redundant --namespace nova`` and its siblings ask for."""
    return checked(rules(), "nova")
