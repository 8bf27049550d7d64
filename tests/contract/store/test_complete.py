"""No function of the store goes untried."""

import ast
from pathlib import Path

import kilonova.store

HERE = Path(__file__).parent
STORE = Path(kilonova.store.__file__).parent
ELSEWHERE = {
    "cells.cell0_url": "text alone, tests/unit/store",
    "cells.synchronise": "conftest.py",
}


def test_every_function_is_called_here() -> None:
    tests = "\n".join(path.read_text() for path in HERE.glob("*.py") if path != Path(__file__))
    public = [
        f"{path.stem}.{node.name}"
        for path in STORE.glob("*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    ]
    assert len(public) > 100
    assert [name for name in public if f"{name}(" not in tests and name not in ELSEWHERE] == []
