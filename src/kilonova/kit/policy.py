"""Policy: oslo.policy loads rules, defaults and ``policy.yaml``; their parsed checks become plain predicates.

Asking oslo.policy at each request costs a hundred microseconds and more; a compiled predicate costs a tenth of one.
Checks of a kind the compiler does not know (``http:`` …) are asked the slow way.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from oslo_config import cfg
from oslo_policy import _checks, policy

from kilonova.kit.context import Context
from kilonova.kit.errors import Forbidden
from kilonova.kit.options import Configuration, opt

LOG = logging.getLogger(__name__)
Target = Mapping[str, Any]
Predicate = Callable[[Mapping[str, Any], Target], bool]


class NotAllowed(Forbidden):
    """Policy refuses."""

    template = "Policy doesn't allow {rule} to be performed."


@dataclass(frozen=True)
class PolicyOptions:
    """``[oslo_policy]``, beside what oslo.policy itself declares there."""

    GROUP: ClassVar[str] = "oslo_policy"
    enforce_scope: bool = opt(True, "refuse tokens of a scope that a rule is not meant for")


@dataclass(frozen=True)
class Rule:
    """A policy rule with upstream's name and default."""

    name: str
    default: str
    summary: str = ""
    operations: tuple[tuple[str, str], ...] = ()
    """(method, path) pairs, for the generated sample."""
    older: str | None = None
    """Default of older releases; with ``[oslo_policy] enforce_new_defaults = false`` it is enough, too."""
    scopes: tuple[str, ...] = ()
    """Kinds of tokens the rule is for: system, domain, project; none: all."""


class Policy:
    """Compiled rules; ``reload`` when the file has changed."""

    def __init__(self, rules: Iterable[Rule], configuration: Configuration, *, policy_file: str | None = None) -> None:
        known = tuple(rules)
        self._enforcer = _enforcer(known, configuration.oslo, policy_file)
        scoped = configuration.section(PolicyOptions).enforce_scope
        self._scopes = {rule.name: rule.scopes for rule in known if scoped and rule.scopes}
        self._enforcer.load_rules()
        self._compiled: dict[str, Predicate] = {}
        self._asked: tuple[Context, Mapping[str, Any]] | None = None

    def reload(self) -> None:
        """Read the policy file again. What cannot be read raises, and the rules stay as they were."""
        self._enforcer.load_rules(force_reload=True)
        self._compiled = {}

    def allows(self, rule: str, context: Context, target: Target) -> bool:
        """The verdict. An unknown rule is nobody's."""
        scopes = self._scopes.get(rule)
        if scopes is not None and _scope(context) not in scopes:
            return False
        predicate = self._compiled.get(rule)
        if predicate is None:
            predicate = self._compiled[rule] = self._compile_rule(rule)
        return predicate(self._credentials(context), target)

    def _credentials(self, context: Context) -> Mapping[str, Any]:
        """One request asks many times. Threads may take turns: each keeps the pair that it has in hand."""
        asked = self._asked
        if asked is None or asked[0] is not context:
            asked = self._asked = (context, _credentials(context))
        return asked[1]

    def demand(self, rule: str, context: Context, target: Target) -> None:
        """Raises NotAllowed."""
        if not self.allows(rule, context, target):
            raise NotAllowed(rule=rule)

    def slow_verdict(self, rule: str, context: Context, target: Target) -> bool:
        """oslo.policy's own answer, for comparing."""
        return bool(self._enforcer.enforce(rule, dict(target), _credentials(context)))

    def _compile_rule(self, name: str) -> Predicate:
        check = self._enforcer.rules.get(name)
        if check is None:
            LOG.warning("Policy rule %s does not exist; nobody passes", name)
            return lambda _creds, _target: False
        return self._compile(check)

    def _compile(self, check: Any) -> Predicate:
        compiler = _COMPILERS.get(type(check))
        return compiler(self, check) if compiler else self._slow(check)

    def _slow(self, check: Any) -> Predicate:
        def ask(creds: Mapping[str, Any], target: Target) -> bool:
            return bool(_checks._check(check, dict(target), dict(creds), self._enforcer, None))  # noqa: SLF001  # no public call for one parsed check

        return ask

    def _is_admin(self, wanted: str) -> Predicate:
        """``is_admin:True`` means what rule ``context_is_admin`` says, in services that have that rule."""
        verdict = self._compile_rule(_ADMIN_RULE) if _ADMIN_RULE in self._enforcer.rules else None
        return lambda creds, target: str(verdict is not None and verdict(creds, target)) == wanted

    def _rule_reference(self, check: Any) -> Predicate:
        name = check.match
        resolved: list[Predicate] = []

        def ask(creds: Mapping[str, Any], target: Target) -> bool:
            if not resolved:
                resolved.append(self._compile_rule(name))
            return resolved[0](creds, target)

        return ask


def checked(rules: Iterable[Rule], project: str) -> Any:
    """oslo.policy's own keeper of the rules (``oslo_policy.policy.Enforcer``), for its checkers of policy files.

    They leave what their command line says in oslo.config's global object, and look there for more afterwards; here the
    usual places of ``project`` are added to it.
    """
    cfg.CONF(project=project)
    return _enforcer(rules, cfg.CONF, None)


def documented(rules: Iterable[Rule]) -> list[Any]:
    """The rules as oslo.policy's own, for its generators of sample files; without defaults of older releases."""
    return [_default(replace(rule, older=None)) for rule in rules]


def policy_path(configuration: Configuration, policy_file: str | None = None) -> Path | None:
    """The policy file that is read (``policy_file``, or what ``[oslo_policy]`` names); None where there is none."""
    policy.Enforcer(configuration.oslo)  # declares the option
    found = configuration.oslo.find_file(policy_file or configuration.oslo.oslo_policy.policy_file)
    return None if found is None else Path(found)


def _enforcer(rules: Iterable[Rule], conf: Any, policy_file: str | None) -> Any:
    made = policy.Enforcer(conf, policy_file=policy_file)
    made.suppress_deprecation_warnings = True  # a line for each rule says nothing an operator can change
    for rule in rules:
        made.register_default(_default(rule))
    return made


def _scope(context: Context) -> str:
    if context.system_scope:
        return "system"
    return "domain" if context.domain_id else "project"


def _default(rule: Rule) -> Any:
    older = None
    if rule.older is not None:
        older = policy.DeprecatedRule(f"older {rule.name}", rule.older, deprecated_reason="new", deprecated_since="new")
    scopes = list(rule.scopes) or None
    if rule.operations:
        operations: Any = [{"method": method, "path": path} for method, path in rule.operations]
        words = rule.summary or rule.name
        return policy.DocumentedRuleDefault(
            rule.name, rule.default, words, operations, deprecated_rule=older, scope_types=scopes
        )
    return policy.RuleDefault(rule.name, rule.default, rule.summary or None, deprecated_rule=older, scope_types=scopes)


def _credentials(context: Context) -> dict[str, Any]:
    return {
        "user_id": context.user_id,
        "project_id": context.project_id,
        "tenant": context.project_id,
        "domain_id": context.domain_id,
        "user_domain_id": context.user_domain_id,
        "project_domain_id": context.project_domain_id,
        "system_scope": context.system_scope,
        "roles": context.roles,
        "service_roles": context.service_roles,
        "is_admin": False,
    }


def _and(engine: Policy, check: Any) -> Predicate:
    parts = tuple(engine._compile(c) for c in check.rules)  # noqa: SLF001  # the compilers are this class's own
    return lambda creds, target: all(p(creds, target) for p in parts)


def _or(engine: Policy, check: Any) -> Predicate:
    parts = tuple(engine._compile(c) for c in check.rules)  # noqa: SLF001  # the compilers are this class's own
    return lambda creds, target: any(p(creds, target) for p in parts)


def _not(engine: Policy, check: Any) -> Predicate:
    inner = engine._compile(check.rule)  # noqa: SLF001  # the compilers are this class's own
    return lambda creds, target: not inner(creds, target)


def _role(engine: Policy, check: Any) -> Predicate:
    if "%(" in check.match:
        return engine._slow(check)  # noqa: SLF001  # the compilers are this class's own
    wanted = check.match.lower()
    return lambda creds, _target: any(role.lower() == wanted for role in creds["roles"])


def _generic(engine: Policy, check: Any) -> Predicate:
    kind, match = check.kind, check.match
    if kind == "is_admin":
        return engine._is_admin(match)  # noqa: SLF001  # the compilers are this class's own
    simple = match.startswith("%(") and match.endswith(")s") and match.count("%(") == 1
    if not simple or "." in kind or kind not in _PLAIN:
        return engine._slow(check)  # noqa: SLF001  # the compilers are this class's own
    key = match[2:-2]

    def ask(creds: Mapping[str, Any], target: Target) -> bool:
        if key not in target:
            return False
        return str(creds.get(kind)) == str(target[key])

    return ask


_ADMIN_RULE = "context_is_admin"
_PLAIN = frozenset({"user_id", "project_id", "tenant", "domain_id", "user_domain_id", "project_domain_id"})
_COMPILERS: dict[type, Callable[[Policy, Any], Predicate]] = {
    _checks.TrueCheck: lambda _e, _c: lambda _creds, _target: True,
    _checks.FalseCheck: lambda _e, _c: lambda _creds, _target: False,
    _checks.AndCheck: _and,
    _checks.OrCheck: _or,
    _checks.NotCheck: _not,
    _checks.RoleCheck: _role,
    _checks.GenericCheck: _generic,
    _checks.RuleCheck: lambda engine, check: engine._rule_reference(check),  # noqa: SLF001  # the compilers are this class's own
}
