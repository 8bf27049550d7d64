"""A demand taken apart: each thing it insists on, what providers must be for it, and the demand without it."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from kilonova.placement.domain.demand import Condition, Demand, Group, ProviderFilter


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """One thing a demand insists on."""

    text: str
    """As a query would say it: ``resources1=VCPU:4``."""
    without: Demand
    """The same demand, this one thing relaxed."""
    wanted: ProviderFilter | None = None
    """What one provider must be for it alone; None where it is not about one provider."""
    of_roots: bool = False
    """Only roots of trees can be it."""


def constraints(demand: Demand) -> Iterator[Constraint]:
    """All of them, in the order of the groups.

    A resource class is relaxed by leaving it out, or, where it is the group's only one, by asking for one unit.
    """
    for group in demand.groups:
        yield from _of_resources(demand, group)
        for words, wanted, rest in _of_condition(group.condition):
            key, _, value = words.partition("=")
            without = _with_group(demand, group, replace(group, condition=rest))
            yield Constraint(
                text=f"{key}{group.suffix}={value}", without=without, wanted=ProviderFilter(condition=wanted)
            )
    for words, wanted, rest in _of_condition(demand.root):
        yield Constraint(
            text=f"root_{words}",
            without=replace(demand, root=rest),
            wanted=ProviderFilter(condition=wanted),
            of_roots=True,
        )
    for members in demand.same_subtree:
        others = tuple(m for m in demand.same_subtree if m is not members)
        yield Constraint(text=f"same_subtree={','.join(sorted(members))}", without=replace(demand, same_subtree=others))
    if demand.isolate:
        yield Constraint(text="group_policy=isolate", without=replace(demand, isolate=False))


def _with_group(demand: Demand, old: Group, new: Group) -> Demand:
    return replace(demand, groups=tuple(new if group is old else group for group in demand.groups))


def _of_resources(demand: Demand, group: Group) -> Iterator[Constraint]:
    for name, amount in group.resources.items():
        rest = {other: n for other, n in group.resources.items() if other != name} or {name: 1}
        yield Constraint(
            text=f"resources{group.suffix}={name}:{amount}",
            without=_with_group(demand, group, replace(group, resources=rest)),
            wanted=ProviderFilter(resources={name: amount}),
        )


def _of_condition(condition: Condition) -> Iterator[tuple[str, Condition, Condition]]:
    """(words, the one thing alone, the condition without it)."""
    for names in condition.required:
        others = tuple(n for n in condition.required if n is not names)
        yield f"required={_any_of(names)}", Condition(required=(names,)), replace(condition, required=others)
    for name in sorted(condition.forbidden):
        one = frozenset({name})
        yield f"required=!{name}", Condition(forbidden=one), replace(condition, forbidden=condition.forbidden - one)
    for uuids in condition.member_of:
        inside = tuple(u for u in condition.member_of if u is not uuids)
        yield f"member_of={_any_of(uuids)}", Condition(member_of=(uuids,)), replace(condition, member_of=inside)
    if condition.not_member_of:
        outside = Condition(not_member_of=condition.not_member_of)
        yield f"member_of=!{_any_of(condition.not_member_of)}", outside, replace(condition, not_member_of=frozenset())
    if condition.in_tree is not None:
        yield f"in_tree={condition.in_tree}", Condition(in_tree=condition.in_tree), replace(condition, in_tree=None)


def _any_of(names: Collection[str]) -> str:
    return next(iter(names)) if len(names) == 1 else f"in:{','.join(sorted(names))}"
