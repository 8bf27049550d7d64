import csv
from pathlib import Path

import pytest

from kilonova.api import policies
from kilonova.kit.context import Context
from kilonova.kit.options import from_mapping
from kilonova.kit.policy import Policy

P, Q = {"project_id": "p", "user_id": "u"}, {"project_id": "q", "user_id": "w"}
CALLERS = {
    "admin": Context(roles=("admin",), project_id="z", user_id="z"),
    "manager": Context(roles=("manager", "member", "reader"), project_id="p", user_id="u"),
    "member": Context(roles=("member", "reader"), project_id="p", user_id="u"),
    "reader": Context(roles=("reader",), project_id="p", user_id="u"),
    "service": Context(roles=("service",), project_id="s", user_id="s"),
    "nobody": Context(),
}


@pytest.fixture(scope="module")
def policy() -> Policy:
    return policies.policy(from_mapping({}))


# Who passes a rule of each kind on something of project p and user u.
@pytest.mark.parametrize(
    ("rule", "passes"),
    [
        ("os_compute_api:os-aggregates:create", {"admin"}),
        ("os_compute_api:os-migrate-server:migrate", {"admin", "manager"}),
        ("os_compute_api:servers:create", {"admin", "manager", "member"}),
        ("os_compute_api:servers:show", {"admin", "manager", "member", "reader"}),
        ("os_compute_api:os-keypairs:show", {"admin", "manager", "member", "reader"}),
        ("os_compute_api:os-server-external-events:create", {"admin", "service"}),
        ("os_compute_api:limits", set(CALLERS)),
        ("compute:servers:resize:cross_cell", set()),
    ],
)
def test_defaults(policy: Policy, rule: str, passes: set[str]) -> None:
    assert {name for name, context in CALLERS.items() if policy.allows(rule, context, P)} == passes


def test_other_projects_are_for_admins(policy: Policy) -> None:
    passes = {name for name, c in CALLERS.items() if policy.allows("os_compute_api:servers:show", c, Q)}
    assert passes == {"admin"}


def test_every_rule_says_what_oslo_policy_says(policy: Policy) -> None:
    for rule in policies.rules():
        if "is_admin" in rule.default:
            continue  # what oslo.policy reads from the caller, we read from a rule
        for name, context in CALLERS.items():
            fast, slow = policy.allows(rule.name, context, P), policy.slow_verdict(rule.name, context, P)
            assert fast == slow, (rule.name, name)


def test_rules_are_complete_and_documented() -> None:
    found = policies.rules()
    assert len({rule.name for rule in found}) == len(found) == len(policies.BASE) + 203
    for rule in found[len(policies.BASE) :]:
        assert rule.summary, rule.name
        assert rule.operations, rule.name
    by_name = {rule.name: rule for rule in found}
    assert ("POST", "/servers/{server_id}/action (reboot)") in by_name["os_compute_api:servers:reboot"].operations


def test_old_names_for_admins_follow_the_rule(policy: Policy) -> None:
    assert policy.allows("admin_api", CALLERS["admin"], {})
    assert not policy.allows("admin_api", CALLERS["member"], {})
    assert policy.allows("admin_or_owner", CALLERS["member"], P)


# What a word of the reference's table for roles means, on something of project p and user u.
_MEANS = {
    "admin": {"admin"},
    "owner-manager": {"admin", "manager"},
    "owner-member": {"admin", "manager", "member"},
    "reader": {"admin", "manager", "member", "reader"},
    "owner-user": {"admin", "manager", "member", "reader"},
    "service": {"admin", "service"},
    "any": set(CALLERS),
    "nobody": set(),
}


def test_every_rule_of_the_table_with_every_role(policy: Policy) -> None:
    wrong = []
    for rule, role in _table():
        passes = {name for name, context in CALLERS.items() if policy.allows(rule, context, P)}
        if passes != _MEANS[role]:
            wrong.append((rule, role, passes))
    assert not wrong


def _table() -> list[tuple[str, str]]:
    path = Path(__file__).parents[2] / "golden" / "policy.tsv"
    with path.open(newline="") as stream:
        return [(row["rule"], row["role"]) for row in csv.DictReader(stream, delimiter="\t")]


def test_older_defaults_are_enough_when_they_are_wanted() -> None:
    older = policies.policy(from_mapping({"oslo_policy": {"enforce_new_defaults": False}}))
    reader, nobody = CALLERS["reader"], Context(roles=("other",), project_id="p", user_id="u")
    for caller in (reader, nobody):
        assert older.allows("os_compute_api:servers:create", caller, P)
        assert not older.allows("os_compute_api:servers:create", caller, Q)
        assert not older.allows("os_compute_api:os-migrate-server:migrate", caller, P)
    assert older.allows("os_compute_api:servers:create", CALLERS["admin"], Q)


def test_tokens_of_the_system_are_refused_unless_scopes_are_off(policy: Policy) -> None:
    caller = Context(roles=("admin",), system_scope="all", user_id="u")
    assert not policy.allows("os_compute_api:os-aggregates:create", caller, {})
    loose = policies.policy(from_mapping({"oslo_policy": {"enforce_scope": False}}))
    assert loose.allows("os_compute_api:os-aggregates:create", caller, {})


def test_generators_of_samples_get_every_rule() -> None:
    found = policies.for_generators()
    assert {rule.name for rule in found} == {rule.name for rule in policies.rules()}
    assert all(rule.deprecated_rule is None for rule in found)


def test_checkers_get_the_rules_over_the_file_of_their_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text('"os_compute_api:servers:show": "rule:project_reader_or_admin"\n"os_compute_api:typo": "role:x"\n')
    (tmp_path / "nova.conf").write_text(f"[oslo_policy]\npolicy_file = {file}\n")
    monkeypatch.setattr("sys.argv", ["oslopolicy-list-redundant", "--config-file", str(tmp_path / "nova.conf")])
    enforcer = policies.for_checkers()
    enforcer.load_rules()
    known = enforcer.registered_rules
    assert set(known) == {rule.name for rule in policies.rules()}
    assert {name: name in known and known[name] == rule for name, rule in enforcer.file_rules.items()} == {
        "os_compute_api:servers:show": True,
        "os_compute_api:typo": False,
    }
