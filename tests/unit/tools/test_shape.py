from pathlib import Path

import pytest
from tools.shape import unmirrored

HEAD = "folder\tmodules\tcovered by\twhy not by a mirror\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A module that does something, without a test."""
    (tmp_path / "src" / "room").mkdir(parents=True)
    (tmp_path / "tests" / "unit" / "room").mkdir(parents=True)
    (tmp_path / "src" / "room" / "noun.py").write_text("def act() -> int:\n    return 1\n")
    (tmp_path / "covered.tsv").write_text(HEAD)
    return tmp_path


def problems(project: Path) -> list[str]:
    return list(unmirrored(project / "src", project / "tests", project / "covered.tsv"))


def test_a_new_module_needs_a_test(project: Path) -> None:
    (problem,) = problems(project)
    assert "noun.py: neither" in problem
    (project / "tests" / "unit" / "room" / "test_noun.py").touch()
    assert problems(project) == []


def test_or_a_line_that_names_a_test_that_is_there(project: Path) -> None:
    (project / "covered.tsv").write_text(f"{HEAD}room\tnoun\ttests/service/test_{{module}}.py\tbecause\n")
    (problem,) = problems(project)
    assert "tests/service/test_noun.py, which is not there" in problem
    (project / "tests" / "service").mkdir()
    (project / "tests" / "service" / "test_noun.py").touch()
    assert problems(project) == []


def test_lines_do_not_outlive_their_reason(project: Path) -> None:
    (project / "tests" / "unit" / "room" / "test_noun.py").touch()
    (project / "covered.tsv").write_text(f"{HEAD}room\tnoun gone\ttests/unit/room/test_noun.py\tbecause\n")
    assert [problem.partition(": ")[2] for problem in problems(project)] == [
        f"room/noun.py has its own {project}/tests/unit/room/test_noun.py",
        "there is no room/gone.py",
    ]


def test_declarations_need_no_test(project: Path) -> None:
    text = 'class Contract:\n    def act(self) -> int:\n        """Words."""\n    def other(self) -> int: ...\n'
    (project / "src" / "room" / "noun.py").write_text(text)
    assert problems(project) == []


def test_this_project_holds_it() -> None:
    assert list(unmirrored(Path("src/kilonova"), Path("tests"), Path("tools/covered.tsv"))) == []
