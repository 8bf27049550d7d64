from pathlib import Path

import pytest
from tests.unit.tools.test_lifecycle import tool

REPORT = """<testsuites><testsuite name="pytest">
<testcase classname="a.B" name="test_1" time="1"/>
<testcase classname="a.B" name="test_2"><failure message="Failed: odd">Traceback
  File
ValueError: no

</failure></testcase>
<testcase classname="a.B" name="test_3"><skipped type="pytest.skip" message="no volumes">x.py:1</skipped></testcase>
<testcase classname="a.B" name="test_4"><error message="failed on setup">KeyError: 1</error></testcase>
</testsuite></testsuites>"""


def test_outcomes_have_reasons(tmp_path: Path) -> None:
    (tmp_path / "report.xml").write_text(REPORT)
    assert list(tool("clients").outcomes(tmp_path / "report.xml")) == [
        ("passed", "a.B.test_1", ""),
        ("failed", "a.B.test_2", "ValueError: no"),
        ("skipped", "a.B.test_3", "no volumes"),
        ("failed", "a.B.test_4", "KeyError: 1"),
    ]


@pytest.mark.parametrize("package", ["python-novaclient", "openstacksdk", "python-openstackclient"])
def test_whatever_is_left_out_has_a_reason(package: str) -> None:
    assert all(test and reason for test, reason in tool("clients").excluded(package).items())
