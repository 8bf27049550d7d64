from dataclasses import dataclass
from typing import ClassVar

import pytest

from kilonova.hypervisor.libvirt.xml.tree import attribute, child, children, flag, leaf, read, text, write


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    TAG: ClassVar[str] = "wheel"
    size: int = attribute()
    spare: bool | None = attribute(None, name="is-spare")


@dataclass(frozen=True, slots=True, kw_only=True)
class Horn:
    TAG: ClassVar[str] = "horn"
    sound: str = text()


@dataclass(frozen=True, slots=True, kw_only=True)
class Car:
    TAG: ClassVar[str] = "car"
    name: str | None = leaf()
    seats: int | None = leaf(name="seat-count")
    electric: bool = flag()
    horn: Horn | None = child()  # noqa: RUF009  # declares a field
    parts: tuple[Wheel | Horn, ...] = children()


FULL = Car(
    name="a < b & c",
    seats=4,
    electric=True,
    parts=(Wheel(size=15), Horn(sound="beep"), Wheel(size=14, spare=False)),
)


def test_a_tree_is_written_in_the_order_of_its_fields() -> None:
    assert write(FULL) == (
        "<car>\n  <name>a &lt; b &amp; c</name>\n  <seat-count>4</seat-count>\n  <electric />\n"
        '  <wheel size="15" />\n  <horn>beep</horn>\n  <wheel size="14" is-spare="no" />\n</car>\n'
    )


def test_none_and_unset_flags_leave_nothing() -> None:
    assert write(Car()) == "<car />\n"


def test_what_is_written_is_read_again() -> None:
    assert read(Car, write(Car(horn=Horn(sound="honk"), seats=0))) == Car(
        horn=Horn(sound="honk"), seats=0, parts=(Horn(sound="honk"),)
    )
    assert read(Car, write(FULL)).parts == FULL.parts


def test_what_is_not_known_is_skipped() -> None:
    assert read(Car, "<car colour='red'><name>x</name><radio/></car>") == Car(name="x")


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("<car", "not XML"),
        ("<bus/>", "expected <car>, found <bus>"),
        ("<car><wheel/></car>", "<wheel>.*size"),
        ("<car><wheel size='big'/></car>", "big"),
    ],
)
def test_a_document_that_does_not_fit_says_where(document: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read(Car, document)
