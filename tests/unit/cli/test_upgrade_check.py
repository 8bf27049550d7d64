from kilonova.cli.upgrade_check import Check, Result, exit_code, report

FINE = Check("Good")
POOR = Check("Poor", Result.WARNING, "look at it")
BAD = Check("Bad", Result.FAILURE, "mend it first")


def test_report() -> None:
    assert report([FINE, BAD]).splitlines() == [
        "+------------------------+",
        "| Upgrade Check Results  |",
        "+------------------------+",
        "| Check: Good            |",
        "| Result: Success        |",
        "| Details: None          |",
        "+------------------------+",
        "| Check: Bad             |",
        "| Result: Failure        |",
        "| Details: mend it first |",
        "+------------------------+",
    ]


def test_the_worst_counts() -> None:
    assert [exit_code([FINE]), exit_code([FINE, POOR]), exit_code([BAD, POOR])] == [0, 1, 2]
