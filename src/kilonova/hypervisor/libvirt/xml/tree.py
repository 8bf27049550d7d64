"""Dataclasses to XML and back: one writer and one reader for every element.

A dataclass is an element; its ``TAG`` is the element's name and its fields say where they go::

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Target:
        TAG: ClassVar[str] = "target"
        dev: str = attribute()
        bus: str | None = attribute(None)

Values are ``str``, ``int`` or ``bool`` (``yes``/``no``); None leaves an attribute or element out. The order of
fields is the order of elements. The reader skips what the dataclasses do not know, so that it reads the definitions
libvirt gives back, which say more than was asked for.
"""

import dataclasses
import types
from typing import Any, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints
from xml.etree import ElementTree as ET

T = TypeVar("T")
_REQUIRED: Any = dataclasses.MISSING


def _field(kind: str, default: Any, name: str | None = None) -> Any:
    metadata = {"kind": kind, "name": name}
    if default is _REQUIRED:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def attribute(default: Any = _REQUIRED, name: str | None = None) -> Any:
    """An attribute; ``name`` where the XML name is no Python name."""
    return _field("attribute", default, name)


def text(default: Any = _REQUIRED) -> Any:
    """The element's own text."""
    return _field("text", default)


def leaf(default: Any = None, name: str | None = None) -> Any:
    """A child element that holds only text."""
    return _field("leaf", default, name)


def flag(name: str | None = None) -> Any:
    """An empty child element whose presence means True."""
    return _field("flag", default=False, name=name)


def child(default: Any = None) -> Any:
    """One child element, itself a dataclass."""
    return _field("child", default)


def children() -> Any:
    """Any number of child elements of one dataclass, or of several (a union)."""
    return _field("children", ())


class _Slot(NamedTuple):
    name: str
    kind: str
    xml_name: str
    types: tuple[Any, ...]


_SLOTS: dict[type[Any], tuple[_Slot, ...]] = {}


def _slots(cls: type[Any]) -> tuple[_Slot, ...]:
    if cls not in _SLOTS:
        _SLOTS[cls] = _declared(cls)
    return _SLOTS[cls]


def _declared(cls: type[Any]) -> tuple[_Slot, ...]:
    hints = get_type_hints(cls)
    found = []
    for field in dataclasses.fields(cls):
        xml_name = field.metadata["name"] or field.name
        found.append(_Slot(field.name, field.metadata["kind"], xml_name, _plain(hints[field.name])))
    return tuple(found)


def _plain(hint: Any) -> tuple[Any, ...]:
    """The value types of a hint: ``int | None`` and ``tuple[int, ...]`` are both ``(int,)``."""
    if get_origin(hint) is tuple:
        return _plain(get_args(hint)[0])
    if get_origin(hint) in (Union, types.UnionType):
        return tuple(arg for arg in get_args(hint) if arg is not type(None))
    return (hint,)


def _to_text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _from_text(kind: type, value: str) -> Any:
    if kind is bool:
        return value in {"yes", "on"}
    return kind(value)


def element(node: Any) -> ET.Element:
    """The ElementTree element of a dataclass."""
    made = ET.Element(node.TAG)
    for slot in _slots(type(node)):
        value = getattr(node, slot.name)
        if value is None or (slot.kind == "flag" and not value):
            continue
        _put(made, slot, value)
    return made


def _put(made: ET.Element, slot: _Slot, value: Any) -> None:
    if slot.kind == "attribute":
        made.set(slot.xml_name, _to_text(value))
    elif slot.kind == "text":
        made.text = _to_text(value)
    elif slot.kind == "leaf":
        ET.SubElement(made, slot.xml_name).text = _to_text(value)
    elif slot.kind == "flag":
        ET.SubElement(made, slot.xml_name)
    elif slot.kind == "child":
        made.append(element(value))
    else:
        made.extend(element(item) for item in value)


def write(node: Any) -> str:
    """A dataclass as an indented XML document."""
    root = element(node)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def read(cls: type[T], document: str) -> T:
    """The dataclass again. Raises ValueError when the document is not XML of this element."""
    try:
        root = ET.fromstring(document)  # noqa: S314  # written by libvirtd or by ourselves, never by a user
    except ET.ParseError as error:
        raise ValueError(f"not XML: {error}") from error
    tag = cls.TAG  # type: ignore[attr-defined]  # every element class has one
    if root.tag != tag:
        raise ValueError(f"expected <{tag}>, found <{root.tag}>")
    return _read(cls, root)


def _read(cls: type[T], node: ET.Element) -> T:
    values: dict[str, Any] = {}
    for slot in _slots(cls):
        value = _get(node, slot)
        if value is not None:
            values[slot.name] = value
    try:
        return cls(**values)
    except TypeError as error:
        raise ValueError(f"<{node.tag}>: {error}") from error


def _get(node: ET.Element, slot: _Slot) -> Any:
    first = slot.types[0]
    if slot.kind == "attribute":
        found = node.get(slot.xml_name)
        return None if found is None else _from_text(first, found)
    if slot.kind == "text":
        return _from_text(first, (node.text or "").strip())
    if slot.kind == "leaf":
        inner = node.findtext(slot.xml_name)
        return None if inner is None else _from_text(first, inner.strip())
    if slot.kind == "flag":
        return node.find(slot.xml_name) is not None
    if slot.kind == "child":
        below = node.find(first.TAG)
        return None if below is None else _read(first, below)
    by_tag = {cls.TAG: cls for cls in slot.types}
    return tuple(_read(by_tag[item.tag], item) for item in node if item.tag in by_tag)
