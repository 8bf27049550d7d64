import itertools

import pytest

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
