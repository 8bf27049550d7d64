from kilonova.cli.table import table


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert table(("Name", "Id"), [("cell1", "7")]).splitlines() == [
        "+-------+----+",
        "| Name  | Id |",
        "+-------+----+",
        "| cell1 | 7  |",
        "+-------+----+",
    ]


def test_no_rows_are_only_heads() -> None:
    assert len(table(("Name",), []).splitlines()) == 4
