import pickle
from typing import get_args

import pytest

from kilonova.kit import errors
from kilonova.kit.errors import Conflict, KilonovaError, Kind, NotFound


class ThingNotFound(NotFound):
    template = "Thing {thing_id} could not be found."


def test_the_template_words_the_fields() -> None:
    error = ThingNotFound(thing_id="42")
    assert (str(error), error.fields, error.kind) == ("Thing 42 could not be found.", {"thing_id": "42"}, "not_found")


def test_a_message_wins_over_the_template() -> None:
    error = ThingNotFound("in other {words}", thing_id=1)
    assert str(error) == "in other {words}"
    assert error.fields == {"message": "in other {words}", "thing_id": 1}


def test_a_missing_field_is_a_bug_that_shows() -> None:
    with pytest.raises(KeyError, match="thing_id"):
        ThingNotFound()


def test_errors_survive_pickling() -> None:
    error = pickle.loads(pickle.dumps(ThingNotFound(thing_id="{x}")))
    assert (type(error), str(error), error.fields) == (
        ThingNotFound,
        "Thing {x} could not be found.",
        {"thing_id": "{x}"},
    )


def test_there_is_a_class_for_every_kind() -> None:
    classes = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, KilonovaError)]
    assert sorted(c.kind for c in classes) == sorted(get_args(Kind))
    assert Conflict("x").code is None
