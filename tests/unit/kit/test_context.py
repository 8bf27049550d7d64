import re

from kilonova.kit.context import Context, new_request_id, system


def test_every_request_has_its_own_id() -> None:
    ids = {new_request_id() for _ in range(3)} | {Context().request_id}
    assert len(ids) == 4
    assert all(re.fullmatch(r"req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", ident) for ident in ids)


def test_the_token_is_never_shown() -> None:
    context = Context(token="secret", token_key="handle", user_id="u")
    assert "secret" not in repr(context)
    assert "handle" not in repr(context)
    assert Context().token_key != Context().token_key


def test_admins_have_the_role() -> None:
    assert system().is_admin
    assert not Context(roles=("Admins", "member")).is_admin
