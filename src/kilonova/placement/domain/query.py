"""Query strings of searches, with the forms each microversion knows, as demands."""

import re
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from kilonova.kit.http.schema import is_uuid
from kilonova.placement.domain.demand import AnyOf, Condition, Demand, Group, ProviderFilter
from kilonova.placement.domain.errors import BadQuery, DuplicateQueryKey, MissingQueryValue
from kilonova.placement.domain.inventory import MAX_INT
from kilonova.placement.domain.names import is_name_form

Query = Mapping[str, Sequence[str]]
_KINDS = {"resources": 10, "required": 17, "member_of": 21, "in_tree": 31}
"""Keys of a group and the version (1.x) each came with."""
_NUMBERED = re.compile(r"(resources|required|member_of|in_tree)([1-9][0-9]*)")
_NAMED = re.compile(r"(resources|required|member_of|in_tree)([a-zA-Z0-9_-]{1,64})")
_WHOLE = {"limit": 16, "group_policy": 25, "root_required": 35, "same_subtree": 36}
_LIST_KEYS = {"name": 0, "uuid": 0, "member_of": 3, "resources": 4, "in_tree": 14, "required": 18}
_NUMBER = re.compile(r"[0-9]{1,10}")


def canonical_uuid(field: str, text: str) -> str:
    """Lower case with dashes. Raises BadQuery."""
    if not is_uuid(text):
        raise BadQuery(field=field, reason=f"'{text}' is not a uuid")
    return str(UUID(text))


def single(query: Query, field: str) -> str | None:
    """The one value of a key that may not be repeated. Raises DuplicateQueryKey."""
    values = query.get(field, ())
    if len(values) > 1:
        raise DuplicateQueryKey(field=field)
    return values[0] if values else None


def parse_resources(field: str, text: str) -> dict[str, int]:
    """``VCPU:2,DISK_GB:10``. Raises BadQuery."""
    found: dict[str, int] = {}
    for part in text.split(","):
        name, colon, amount = part.partition(":")
        if not colon or not is_name_form(name):
            raise BadQuery(field=field, reason=f"'{part}' is not of the form RESOURCE_CLASS:AMOUNT")
        if not _NUMBER.fullmatch(amount) or not 1 <= int(amount) <= MAX_INT:
            raise BadQuery(field=field, reason=f"amount '{amount}' of {name} is not a whole number from 1 to {MAX_INT}")
        if name in found:
            raise BadQuery(field=field, reason=f"{name} is named twice")
        found[name] = int(amount)
    return found


def parse_traits(field: str, values: Iterable[str], minor: int) -> tuple[AnyOf, frozenset[str]]:
    """Required and forbidden traits. ``!`` from 1.22, ``in:`` from 1.39. Raises BadQuery."""
    required: list[frozenset[str]] = []
    forbidden: set[str] = set()
    for value in values:
        if minor >= 39 and value.startswith("in:"):  # noqa: PLR2004  # 1.39 brought any-of
            required.append(frozenset(_trait(field, part) for part in value[3:].split(",")))
            continue
        for part in value.split(","):
            if minor >= 22 and part.startswith("!"):  # noqa: PLR2004  # 1.22 brought forbidden traits
                forbidden.add(_trait(field, part[1:]))
            else:
                required.append(frozenset({_trait(field, part)}))
    both = sorted(name for names in required if len(names) == 1 for name in names if name in forbidden)
    if both:
        raise BadQuery(field=field, reason=f"traits both required and forbidden: {', '.join(both)}")
    return tuple(dict.fromkeys(required)), frozenset(forbidden)


def _trait(field: str, name: str) -> str:
    if not is_name_form(name):
        raise BadQuery(field=field, reason=f"'{name}' is not the name of a trait")
    return name


def parse_member_of(field: str, values: Iterable[str], minor: int) -> tuple[AnyOf, frozenset[str]]:
    """Aggregates to be in and to be out of. ``!`` from 1.32. Raises BadQuery."""
    inside: list[frozenset[str]] = []
    outside: set[str] = set()
    for value in values:
        negated = minor >= 32 and value.startswith("!")  # noqa: PLR2004  # 1.32 brought forbidden aggregates
        rest = value[1:] if negated else value
        parts = rest[3:].split(",") if rest.startswith("in:") else [rest]
        uuids = frozenset(canonical_uuid(field, part) for part in parts)
        if negated:
            outside |= uuids
        else:
            inside.append(uuids)
    return tuple(inside), frozenset(outside)


def parse_provider_filter(query: Query, minor: int) -> ProviderFilter:
    """The query of ``GET /resource_providers``. Raises BadQuery, DuplicateQueryKey."""
    _refuse_unknown(query, {key for key, since in _LIST_KEYS.items() if since <= minor})
    _refuse_repeated(query, minor)
    name, resources, uuid = single(query, "name"), single(query, "resources"), single(query, "uuid")
    return ProviderFilter(
        name=name,
        uuid=None if uuid is None else canonical_uuid("uuid", uuid),
        resources={} if resources is None else parse_resources("resources", resources),
        condition=_condition(query, "", minor),
    )


def parse_demand(query: Query, minor: int) -> Demand:
    """The query of ``GET /allocation_candidates``. Raises BadQuery, DuplicateQueryKey, MissingQueryValue."""
    keys = {key: _suffix(key, minor) for key in query}
    whole = {key for key, since in _WHOLE.items() if since <= minor}
    _refuse_unknown(query, whole | {key for key, suffix in keys.items() if suffix is not None})
    _refuse_repeated(query, minor)
    suffixes = sorted({s for key, s in keys.items() if s is not None and key not in whole}, key=_numeric_first)
    groups = tuple(_group(query, suffix, minor) for suffix in suffixes)
    same_subtree = tuple(_subtree(value, suffixes) for value in query.get("same_subtree", ()))
    _check_groups(groups, frozenset().union(*same_subtree))
    required, forbidden = _root(query, minor)
    return Demand(
        groups=groups,
        isolate=_isolate(query, groups),
        same_subtree=same_subtree,
        root=Condition(required=required, forbidden=forbidden),
        nested=minor >= 29,  # noqa: PLR2004  # 1.29 brought nested candidates
        limit=_limit(query),
    )


def _numeric_first(suffix: str) -> tuple[int, int, str]:
    return (0, int(suffix), "") if suffix.isdigit() else (1 if suffix else -1, 0, suffix)


def _suffix(key: str, minor: int) -> str | None:
    """Which group a key belongs to at this version; None when it is no key of a group."""
    if key in _KINDS:
        return "" if _KINDS[key] <= minor else None
    if minor < 25:  # noqa: PLR2004  # 1.25 brought groups
        return None
    form = _NAMED if minor >= 33 else _NUMBERED  # noqa: PLR2004  # 1.33 brought free suffixes
    match = form.fullmatch(key)
    return match[2] if match and _KINDS[match[1]] <= minor else None


def _refuse_unknown(query: Query, known: Iterable[str]) -> None:
    unknown = sorted(set(query) - set(known))
    if unknown:
        raise BadQuery(field=unknown[0], reason="there is no such parameter at this microversion")


def _refuse_repeated(query: Query, minor: int) -> None:
    for key, values in query.items():
        repeatable = (
            (key.startswith("member_of") and minor >= 24)  # noqa: PLR2004  # 1.24 brought several
            or (key.startswith("required") and minor >= 39)  # noqa: PLR2004  # 1.39 too
            or key == "same_subtree"
        )
        if len(values) > 1 and not repeatable:
            raise DuplicateQueryKey(field=key)


def _condition(query: Query, suffix: str, minor: int) -> Condition:
    required, forbidden = parse_traits(f"required{suffix}", query.get(f"required{suffix}", ()), minor)
    inside, outside = parse_member_of(f"member_of{suffix}", query.get(f"member_of{suffix}", ()), minor)
    tree = single(query, f"in_tree{suffix}")
    return Condition(
        required=required,
        forbidden=forbidden,
        member_of=inside,
        not_member_of=outside,
        in_tree=None if tree is None else canonical_uuid(f"in_tree{suffix}", tree),
    )


def _group(query: Query, suffix: str, minor: int) -> Group:
    text = single(query, f"resources{suffix}")
    resources = {} if text is None else parse_resources(f"resources{suffix}", text)
    return Group(suffix=suffix, resources=resources, condition=_condition(query, suffix, minor))


def _subtree(value: str, suffixes: Sequence[str]) -> frozenset[str]:
    found = frozenset(value.split(","))
    strange = sorted(s for s in found if not s or s not in suffixes)
    if strange:
        raise BadQuery(field="same_subtree", reason=f"there is no request group with suffix '{strange[0]}'")
    return found


def _check_groups(groups: Sequence[Group], in_subtree: frozenset[str]) -> None:
    if not any(group.resources for group in groups):
        raise MissingQueryValue(field="resources", reason="at least one group of resources is needed.")
    for group in groups:
        if not group.resources and group.suffix not in in_subtree:
            raise BadQuery(
                field=f"resources{group.suffix}",
                reason="it is missing; traits, aggregates and trees of a group need its resources"
                " (or its suffix in same_subtree, from 1.36)",
            )


def _isolate(query: Query, groups: Sequence[Group]) -> bool:
    policy = single(query, "group_policy")
    if policy is None:
        if sum(1 for group in groups if group.suffix) > 1:
            raise MissingQueryValue(
                field="group_policy", reason='it is required when there is more than one "resources{suffix}" parameter.'
            )
        return False
    if policy not in ("none", "isolate"):
        raise BadQuery(field="group_policy", reason=f"'{policy}' is neither 'none' nor 'isolate'")
    return policy == "isolate"


def _root(query: Query, minor: int) -> tuple[AnyOf, frozenset[str]]:
    values = query.get("root_required", ())
    return parse_traits("root_required", values, min(minor, 38))  # any-of exists for groups only


def _limit(query: Query) -> int | None:
    text = single(query, "limit")
    if text is None:
        return None
    if not _NUMBER.fullmatch(text) or int(text) < 1:
        raise BadQuery(field="limit", reason=f"'{text}' is not a whole number of at least 1")
    return int(text)
