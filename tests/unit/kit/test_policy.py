import itertools
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kilonova.kit.context import Context
from kilonova.kit.options import from_mapping
from kilonova.kit.policy import NotAllowed, Policy, Rule

RULES = (
    Rule("context_is_admin", "role:boss"),
    Rule("admin", "is_admin:True"),
    Rule("not_admin", "is_admin:False"),
    Rule("either", "is_admin:True or project_id:%(project_id)s"),
    Rule("nested", "rule:either and not role:banned"),
)
CONFIGURATION = from_mapping({})
CONTEXTS = [
    Context(roles=roles, project_id=project, user_id="u")
    for roles, project in itertools.product([(), ("boss",), ("BOSS", "banned"), ("member",)], [None, "p", "q"])
]


def test_is_admin_means_what_the_rule_says() -> None:
    policy = Policy(RULES, from_mapping({}))
    boss, other = Context(roles=("boss",)), Context(roles=("admin",))
    assert [policy.allows("admin", c, {}) for c in (boss, other)] == [True, False]
    assert [policy.allows("not_admin", c, {}) for c in (boss, other)] == [False, True]
    assert policy.allows("either", other, {"project_id": "p"}) is False
    with pytest.raises(NotAllowed, match="admin"):
        policy.demand("admin", other, {})


def test_without_the_rule_nobody_is_admin() -> None:
    policy = Policy([Rule("admin", "is_admin:True")], from_mapping({}))
    assert policy.allows("admin", Context(roles=("admin",)), {}) is False


@pytest.mark.parametrize("context", CONTEXTS, ids=lambda c: f"{c.roles} in {c.project_id}")
def test_compiled_verdicts_are_oslo_policys(context: Context) -> None:
    rules = [
        Rule("context_is_admin", "role:boss"),
        Rule("a", "project_id:%(project_id)s"),
        Rule("b", "rule:a or role:x"),
    ]
    rules.append(Rule("c", "rule:context_is_admin and not role:banned"))
    policy = Policy(rules, from_mapping({}))
    for rule in rules:
        assert policy.allows(rule.name, context, {"project_id": "p"}) == policy.slow_verdict(
            rule.name, context, {"project_id": "p"}
        )


ATOMS = [
    "@",
    "!",
    "role:Member",
    "role:admin",
    "role:%(wanted)s",
    "is_admin:True",
    "is_admin:False",
    "project_id:%(project_id)s",
    "project_id:%(target.server.project_id)s",
    "user_id:%(user_id)s",
    "user_id:u",
    "tenant:%(project_id)s",
    "'p':%(project_id)s",
    "None:%(missing)s",
    "system_scope:all",
    "domain_id:%(domain_id)s",
    "rule:context_is_admin",
    "rule:other",
    "rule:missing",
    "roles:admin",
]
CHECKS = st.recursive(
    st.sampled_from(ATOMS),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]} or {pair[1]})"),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]} and {pair[1]})"),
        inner.map(lambda one: f"not ({one})" if " " in one else f"not {one}"),
    ),
    max_leaves=6,
)
CALLERS = st.builds(
    Context,
    roles=st.lists(st.sampled_from(["admin", "Admin", "member", "boss"]), max_size=2).map(tuple),
    project_id=st.sampled_from([None, "p", "q"]),
    user_id=st.sampled_from(["u", "v"]),
    system_scope=st.sampled_from([None, "all"]),
    domain_id=st.sampled_from([None, "d"]),
)
TARGETS = st.fixed_dictionaries(
    {},
    optional={
        "project_id": st.sampled_from(["p", "q", None]),
        "user_id": st.sampled_from(["u", "v"]),
        "wanted": st.sampled_from(["member", "boss"]),
        "domain_id": st.just("d"),
    },
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(checks=st.lists(CHECKS, min_size=6, max_size=6), context=CALLERS, target=TARGETS)
def test_whatever_the_rules_the_verdicts_are_oslo_policys(
    checks: list[str], context: Context, target: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    named = [Rule("context_is_admin", "role:admin"), Rule("other", "role:boss or project_id:%(project_id)s")]
    rules = [*named, *(Rule(f"rule{number}", check) for number, check in enumerate(checks))]
    # Nobody sets `is_admin` among the credentials here: it means what the rule says, and is worded so for oslo.policy.
    rules += [Rule(f"plain {rule.name}", _plain(rule.default)) for rule in rules]
    with caplog.at_level("CRITICAL"):
        policy = Policy(rules, CONFIGURATION)
        for rule in rules[: len(rules) // 2]:
            expected = policy.slow_verdict(f"plain {rule.name}", context, target)
            assert policy.allows(rule.name, context, target) == expected, rule


def _plain(check: str) -> str:
    is_admin = check.replace("is_admin:True", "rule:context_is_admin")
    return is_admin.replace("is_admin:False", "(not rule:context_is_admin)")


def test_a_file_overrides_defaults(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text('"not_admin": "role:guest"\n')
    policy = Policy(RULES, from_mapping({}), policy_file=str(tmp_path / "policy.yaml"))
    assert policy.allows("not_admin", Context(roles=("guest",)), {})
    assert not policy.allows("not_admin", Context(roles=("member",)), {})


def test_a_rule_nobody_has_lets_nobody_in(caplog: pytest.LogCaptureFixture) -> None:
    assert not Policy(RULES, from_mapping({})).allows("nonsense", Context(roles=("boss",)), {})
    assert "nonsense" in caplog.text
