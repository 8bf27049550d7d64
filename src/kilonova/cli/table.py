"""Tables of text, drawn as the stock command line tools draw theirs."""

from collections.abc import Sequence


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Centred heads, cells aligned to the left."""
    widths = [max(len(text) for text in column) for column in zip(heads, *rows, strict=True)]
    rule = "+" + "+".join("-" * (width + 2) for width in widths) + "+"

    def line(cells: Sequence[str], align: str) -> str:
        return "|" + "|".join(f" {cell:{align}{width}} " for cell, width in zip(cells, widths, strict=True)) + "|"

    return "\n".join([rule, line(heads, "^"), rule, *(line(row, "<") for row in rows), rule])
