from collections import Counter

from kilonova.api import app, policies


def test_no_two_endpoints_answer_the_same_call() -> None:
    spoken = Counter(
        (endpoint.method, endpoint.path, endpoint.action, minor)
        for endpoint in app.endpoints()
        for minor in range(1, 105)
        if endpoint.lives((2, minor))
    )
    assert [call for call, times in spoken.items() if times > 1] == []


def test_rules_of_endpoints_exist() -> None:
    known = {rule.name for rule in policies.rules()}
    assert {e.rule for e in app.endpoints() if e.rule} - known == set()


def test_endpoints_are_described() -> None:
    assert [(e.method, e.path) for e in app.endpoints() if not e.summary] == []
