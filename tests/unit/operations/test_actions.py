import dataclasses

from kilonova.domain.lifecycle import AT_ONCE, HIDDEN, LIFECYCLE
from kilonova.kit import codec
from kilonova.operations.actions import VERBS


def test_the_journal_runs_what_the_lifecycle_knows() -> None:
    assert set(LIFECYCLE) - AT_ONCE == set(VERBS) - HIDDEN


def test_commands_survive_the_database() -> None:
    for verb in VERBS.values():
        needed = [f for f in dataclasses.fields(verb.command) if f.default is f.default_factory is dataclasses.MISSING]
        if not needed:
            assert codec.unpack(codec.loads(codec.text(codec.pack(verb.command()))), verb.command) == verb.command()
