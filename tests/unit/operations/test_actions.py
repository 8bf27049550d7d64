from kilonova.domain.lifecycle import HIDDEN, LIFECYCLE
from kilonova.kit import codec
from kilonova.operations.actions import VERBS


def test_the_journal_runs_what_the_lifecycle_knows() -> None:
    assert set(VERBS) - HIDDEN <= set(LIFECYCLE)
    assert set(LIFECYCLE) <= set(VERBS)


def test_commands_survive_the_database() -> None:
    for verb in VERBS.values():
        if verb.name != "create_image":  # the one that has a field without a default
            assert codec.unpack(codec.loads(codec.text(codec.pack(verb.command()))), verb.command) == verb.command()
