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


def unmirrored(source: Path, tests: Path, listing: Path) -> Iterator[str]:
    """Every module has its unit test, or a line in ``listing`` that says which test covers it, and why that one.

    Modules that only declare (options, contracts, tables, error classes) have nothing to run and need neither.
    """
    listed = dict(covered(listing))
    for module in sorted(source.rglob("*.py")):
        place = module.relative_to(source)
        mirror = tests / "unit" / place.with_name(f"test_{place.name}")
        test = listed.pop(place, None)
        if mirror.exists():
            if test:
                yield f"{listing}: {place} has its own {mirror}"
        elif test is None:
            if "versions" not in place.parent.parts and acts(ast.parse(module.read_text())):
                yield f"{module}: neither {mirror} nor a line in {listing}"
        elif not (tests.parent / test).exists():
            yield f"{listing}: {place} is to be covered by {test}, which is not there"
    yield from (f"{listing}: there is no {place}" for place in listed)


def covered(listing: Path) -> Iterator[tuple[Path, str]]:
    """(module, test) pairs of a table: folder, names of modules, test (of each ``{module}``), reason."""
    for line in listing.read_text().splitlines()[1:]:
        folder, modules, test, _reason = line.split("\t")
        for module in modules.split():
            yield Path(folder, f"{module}.py"), test.format(module=module)


def acts(tree: ast.Module) -> bool:
    """Has any function a body beside words and ``...``?"""
    return any(not _is_words(function.body) for function in functions(tree))


def _is_words(body: list[ast.stmt]) -> bool:
    return all(isinstance(line, ast.Pass) or _is_constant(line) for line in body)


def _is_constant(line: ast.stmt) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)


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
    found += [*mirrors(), *unmirrored(Path("src/kilonova"), Path("tests"), Path("tools/covered.tsv")), *words()]
    for problem in found:
        print(problem)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
