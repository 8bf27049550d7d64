"""The search within one tree: assigns a provider to each choice, cutting what cannot succeed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from kilonova.placement.domain.demand import AnyOf, Demand
from kilonova.placement.domain.topology import Provider, Tree

_State = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Resources that one provider must give, and who could. ``apart``: nobody else that is apart may use them."""

    suffix: str
    resources: Mapping[str, int]
    options: tuple[Provider, ...]
    apart: bool = False


class Search:
    """Walks the assignments of ``choices``. One use only."""

    def __init__(self, demand: Demand, tree: Tree, choices: Sequence[Choice], required: AnyOf) -> None:
        self._demand = demand
        self._choices = choices
        self._required = required
        self._assigned: list[Provider] = []
        self._used: dict[tuple[int, str], int] = {}
        self._apart: set[int] = set()
        self._dead: set[_State] = set()
        self._done: set[_State] = set()
        self._ancestry = {p.id: tree.ancestry(p) for p in tree.providers} if demand.same_subtree else {}
        self._subtrees = [[i for i, c in enumerate(choices) if c.suffix in names] for names in demand.same_subtree]
        self._classes = _contended(choices)
        self._some_apart = any(c.apart for c in choices)

    def run(self) -> Iterator[tuple[Provider, ...]]:
        """Providers in the order of the choices, for each complete assignment."""
        if self._hopeful():
            yield from self._descend()

    def _descend(self) -> Iterator[tuple[Provider, ...]]:
        choice = self._choices[len(self._assigned)]
        for provider in choice.options:
            if not self._fits(choice, provider):
                continue
            self._take(choice, provider)
            yield from self._below()
            self._give_back(choice, provider)

    def _below(self) -> Iterator[tuple[Provider, ...]]:
        """What follows from the present state, unless that is known to be nothing (or nothing new)."""
        if len(self._assigned) == len(self._choices):
            if self._traits_reachable() and self._subtrees_possible():
                yield tuple(self._assigned)
            return
        state = self._state()
        if state in self._dead or state in self._done or not self._hopeful():
            return
        empty = True
        for found in self._descend():
            empty = False
            yield found
        if empty:
            self._dead.add(state)
        elif not self._demand.mapped:
            # Where mappings are not shown, the same use of the same providers completes to the same candidates.
            self._done.add(state)

    def _fits(self, choice: Choice, provider: Provider) -> bool:
        if choice.apart and provider.id in self._apart:
            return False
        if not self._demand.nested and any(
            p.root_id == provider.root_id and p.id != provider.id for p in self._assigned
        ):
            return False
        for name, amount in choice.resources.items():
            before = self._used.get((provider.id, name), 0)
            if before:
                stock = provider.stocks[name]
                if before + amount > stock.claimable:
                    return False
        return True

    def _take(self, choice: Choice, provider: Provider) -> None:
        self._assigned.append(provider)
        for name, amount in choice.resources.items():
            key = (provider.id, name)
            self._used[key] = self._used.get(key, 0) + amount
        if choice.apart:
            self._apart.add(provider.id)

    def _give_back(self, choice: Choice, provider: Provider) -> None:
        self._assigned.pop()
        for name, amount in choice.resources.items():
            key = (provider.id, name)
            left = self._used[key] - amount
            if left:
                self._used[key] = left
            else:
                del self._used[key]
        if choice.apart:
            self._apart.discard(provider.id)

    def _state(self) -> _State:
        """Everything the rest of the search depends on."""
        heads = tuple(
            tuple(self._assigned[i].id for i in members if i < len(self._assigned)) for members in self._subtrees
        )
        roots: object = () if self._demand.nested else frozenset(p.id for p in self._assigned)
        return (
            len(self._assigned),
            frozenset(self._used.items()),
            frozenset(self._apart) if self._some_apart else (),
            self._unmet() if self._required else (),
            heads,
            roots,
        )

    def _unmet(self) -> frozenset[frozenset[str]]:
        have = [p.traits for p, c in zip(self._assigned, self._choices, strict=False) if not c.suffix]
        return frozenset(names for names in self._required if not any(names & traits for traits in have))

    def _hopeful(self) -> bool:
        return self._traits_reachable() and self._enough_left() and self._matchable() and self._subtrees_possible()

    def _traits_reachable(self) -> bool:
        if not self._required:
            return True
        rest = [c for c in self._choices[len(self._assigned) :] if not c.suffix]
        return all(any(names & p.traits for c in rest for p in c.options) for names in self._unmet())

    def _enough_left(self) -> bool:
        depth = len(self._assigned)
        for name in self._classes:
            rest = [c for c in self._choices[depth:] if name in c.resources]
            if len(rest) < 2:  # noqa: PLR2004  # one alone was checked when its options were made
                continue
            wanted = sum(c.resources[name] for c in rest)
            free = {p.id: p.stocks[name].claimable - self._used.get((p.id, name), 0) for c in rest for p in c.options}
            if sum(n for n in free.values() if n > 0) < wanted:
                return False
        return True

    def _matchable(self) -> bool:
        """Can every remaining choice that is apart still get a provider of its own? (augmenting paths)"""
        if not self._some_apart:
            return True
        rest = [c for c in self._choices[len(self._assigned) :] if c.apart]
        owner: dict[int, Choice] = {}

        def place(choice: Choice, tried: set[int]) -> bool:
            for provider in choice.options:
                if provider.id in tried or provider.id in self._apart:
                    continue
                tried.add(provider.id)
                if provider.id not in owner or place(owner[provider.id], tried):
                    owner[provider.id] = choice
                    return True
            return False

        return all(place(choice, set()) for choice in rest)

    def _subtrees_possible(self) -> bool:
        return all(self._subtree_possible(members) for members in self._subtrees)

    def _subtree_possible(self, members: Sequence[int]) -> bool:
        """Is there a provider, taken or still to be taken by one of the groups, that all others can be below?"""
        depth = len(self._assigned)
        taken = [self._assigned[i].id for i in members if i < depth]
        rest = [self._choices[i].options for i in members if i >= depth]
        heads = set(taken).union(p.id for options in rest for p in options)
        return any(
            all(head in self._ancestry.get(i, ()) for i in taken)
            and all(any(head in self._ancestry.get(p.id, ()) for p in options) for options in rest)
            for head in heads
        )


def _contended(choices: Sequence[Choice]) -> list[str]:
    """Classes that more than one choice asks for."""
    count: dict[str, int] = {}
    for choice in choices:
        for name in choice.resources:
            count[name] = count.get(name, 0) + 1
    return sorted(name for name, n in count.items() if n > 1)
