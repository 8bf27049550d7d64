import requests

from kilonova.kit.http.in_process import WsgiAdapter
from kilonova.kit.http.scripted import ScriptedApp, Told


def test_answers_in_order_and_the_last_one_for_ever() -> None:
    app = ScriptedApp(Told(503), Told(200, {"n": 1}, {"X-Marked": "yes"}))
    session = requests.Session()
    session.mount("http://far.local", WsgiAdapter(app))

    replies = [session.get(f"http://far.local/{n}") for n in range(3)]

    assert [r.status_code for r in replies] == [503, 200, 200]
    assert replies[2].json() == {"n": 1}
    assert replies[2].headers["X-Marked"] == "yes"
    assert app.calls == [("GET", "/0"), ("GET", "/1"), ("GET", "/2")]
