"""The design's limits that no linter knows: lengths, parameters, names, mirrored tests, words that stay out."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

FILE_LINES = 600
FUNCTION_LINES = 60
PARAMETERS = 6
FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "helper", "manager", "base", "misc"}
FORBIDDEN_WORDS = ("/work" + "/",)
"""Paths of one developer's machine."""
TEXTS = {".py", ".md", ".toml", ".sh", ".tsv", ".yaml", ".yml", ".json", ".html", ""}


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def of_file(path: Path) -> Iterator[str]:
    text = path.read_text()
    lines = text.count("\n")
    if lines > FILE_LINES:
        yield f"{path}: {lines} lines, more than {FILE_LINES}"
    if path.stem in FORBIDDEN_NAMES or set(path.parent.parts) & FORBIDDEN_NAMES:
        yield f"{path}: the name says nothing about what is inside"
    for function in functions(ast.parse(text)):
        yield from of_function(path, function)


def of_function(path: Path, function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    where = f"{path}:{function.lineno}: {function.name}"
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    if lines > FUNCTION_LINES:
        yield f"{where} has {lines} lines, more than {FUNCTION_LINES}"
    arguments = function.args
    positional = [a for a in (*arguments.posonlyargs, *arguments.args) if a.arg not in {"self", "cls"}]
    for kind, count in (("positional", len(positional)), ("keyword-only", len(arguments.kwonlyargs))):
        if count > PARAMETERS:
            yield f"{where} has {count} {kind} parameters, more than {PARAMETERS}"


def mirrors() -> Iterator[str]:
    """A unit test's place says what it tests."""
    for test in Path("tests/unit").rglob("test_*.py"):
        place = test.relative_to("tests/unit").parent
        home = Path() if place == Path("tools") else Path("src/kilonova")  # the developers' tools are tested, too
        subject = home / place / test.name.removeprefix("test_")
        if not subject.exists() and not subject.with_suffix("").is_dir():
            yield f"{test}: there is no {subject}"


def words() -> Iterator[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], check=False, capture_output=True, text=True
    ).stdout
    for name in listed.splitlines():
        path = Path(name)
        if path.suffix in TEXTS and path.is_file():
            text = path.read_text(errors="replace")
            yield from (f"{path}: contains {word!r}" for word in FORBIDDEN_WORDS if word in text)


def main() -> int:
    found = [problem for path in sorted(Path("src").rglob("*.py")) for problem in of_file(path)]
    found += [*mirrors(), *words()]
    for problem in found:
        print(problem)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
