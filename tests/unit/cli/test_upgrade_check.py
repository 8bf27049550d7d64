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


def test_long_details_fit_a_terminal() -> None:
    lines = report([Check("Bad", Result.FAILURE, "one word and the next " * 5)]).splitlines()
    assert lines[5:7] == [
        "| Details: one word and the next one word and the next one word and the |",
        "|   next one word and the next one word and the next                    |",
    ]
    assert max(len(line) for line in lines) <= 80


def test_the_worst_counts() -> None:
    assert [exit_code([FINE]), exit_code([FINE, POOR]), exit_code([BAD, POOR])] == [0, 1, 2]
