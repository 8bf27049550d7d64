import importlib.util
from pathlib import Path
from types import ModuleType

TOOLS = Path(__file__).parents[3] / "tools"


def tool(name: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(f"tool_{name}", TOOLS / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_page_is_current() -> None:
    page = tool("lifecycle")
    assert page.PAGE.read_text() == page.page(), "run `make docs`"
