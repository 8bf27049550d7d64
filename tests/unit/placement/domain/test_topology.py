from kilonova.placement.domain.demand import Condition
from kilonova.placement.domain.topology import Provider, grow


def test_trees_grow_from_providers_in_any_order() -> None:
    trees = grow(
        [
            Provider(id=5, parent_id=2, root_id=1),
            Provider(id=3, root_id=3),
            Provider(id=2, parent_id=1, root_id=1),
            Provider(id=1, root_id=1),
            Provider(id=9, parent_id=8, root_id=8),
        ]
    )
    assert [(tree.root.id, [p.id for p in tree.providers]) for tree in trees] == [(1, [1, 2, 5]), (3, [3])]


def test_ancestry() -> None:
    tree = grow(
        [Provider(id=1, root_id=1), Provider(id=2, parent_id=1, root_id=1), Provider(id=3, parent_id=2, root_id=1)]
    )[0]
    assert tree.ancestry(tree.providers[2]) == {1, 2, 3}
    assert tree.ancestry(tree.root) == {1}
    assert tree.ancestry(Provider(id=7, root_id=7)) == frozenset()


def test_traits() -> None:
    provider = Provider(id=1, root_id=1, traits=frozenset({"A", "B"}))
    assert provider.has_traits(Condition(required=(frozenset({"A", "X"}), frozenset({"B"}))))
    assert not provider.has_traits(Condition(required=(frozenset({"X"}),)))
    assert not provider.has_traits(Condition(forbidden=frozenset({"B"})))
