"""XMP packets without the properties that tell a place; everything else stays byte for byte.

    packet --decode--> text --expat--> places of elements and attributes in it --cut out--> text --encode--> packet

Source: ISO 16684-1 (XMP is RDF in XML: a property is an element or an attribute, of any prefix). The parser only says where things stand,
so nothing is written anew. Document types are refused, and with them all entities but the five of XML itself.
"""

from __future__ import annotations

import re
from xml.parsers import expat

from photoarc.pictures.places import is_place, names_coordinates

# A packet may be written in any of these; the longer marks come first.
_MARKS = (
    (b"\0\0\xfe\xff", "utf-32-be"),
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"\xfe\xff", "utf-16-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\0\0\0<", "utf-32-be"),
    (b"<\0\0\0", "utf-32-le"),
    (b"\0<", "utf-16-be"),
    (b"<\0", "utf-16-le"),
)
_ATTRIBUTE = re.compile(rb"""\s+([^\s=>]+)\s*=\s*("[^"]*"|'[^']*')""")
_TAG = re.compile(rb"""<[^\s/>]+(?:\s+[^\s=>]+\s*=\s*(?:"[^"]*"|'[^']*'))*\s*/?>""")
_PARTS_OF_RDF = ("rdf:", "xmlns", "xml:", "x:")


class _Refused(Exception):
    """XML with a document type."""


class _Cutter:
    """Spans (start, end) of UTF-8 bytes to leave out."""

    def __init__(self, data: bytes) -> None:
        self.data, self.spans = data, list[tuple[int, int]]()
        self._depth, self._outermost = 0, 0  # of the element that is left out as a whole, 0 outside of any
        self._start = 0
        self._parser = expat.ParserCreate("UTF-8")
        self._parser.ordered_attributes = True
        self._parser.StartElementHandler = self._open
        self._parser.EndElementHandler = self._close
        self._parser.CommentHandler = self._comment
        self._parser.StartDoctypeDeclHandler = self._refuse

    def run(self) -> None:
        """Raises ExpatError or _Refused for what is no sound XML."""
        self._parser.Parse(self.data, True)

    def _open(self, name: str, attributes: list[str]) -> None:
        self._depth += 1
        if self._outermost:
            return
        at = self._parser.CurrentByteIndex
        if _names_place(name):
            self._outermost, self._start = self._depth, at
        elif any(map(_names_place, attributes[::2])):
            begin = at + 1 + len(name.encode())
            for number in range(len(attributes) // 2):
                match = _ATTRIBUTE.match(self.data, begin)
                if match is None or match[1].decode() != attributes[2 * number]:
                    raise _Refused
                self.spans += [match.span()] if _names_place(attributes[2 * number]) else []
                begin = match.end()

    def _close(self, _name: str) -> None:
        if self._depth == self._outermost:
            end = self._end_of_tag(self._start)
            if self.data[end - 2 : end] != b"/>":  # of an empty element the parser does not say where it ends
                end = self.data.index(b">", self._parser.CurrentByteIndex) + 1
            self.spans.append((self._start, end))
            self._outermost = 0
        self._depth -= 1

    def _end_of_tag(self, at: int) -> int:
        """Behind a tag; `>` may stand in the value of an attribute."""
        match = _TAG.match(self.data, at)
        if match is None:
            raise _Refused
        return match.end()

    def _comment(self, text: str) -> None:
        if not self._outermost and names_coordinates(text):
            at = self._parser.CurrentByteIndex
            self.spans.append((at, self.data.index(b"-->", at) + 3))

    def _refuse(self, *_: object) -> None:
        raise _Refused


def _names_place(name: str) -> bool:
    return not name.startswith(_PARTS_OF_RDF) and is_place(name.rpartition(":")[2])


def strip(packet: bytes) -> bytes | None:
    """A packet without places, NULs and padding behind it as they were; None if it is no sound XML."""
    for encoding in _encodings(packet):
        try:
            text = packet.decode(encoding)
        except UnicodeDecodeError:
            continue
        head = text.rstrip("\0")
        rest = text[len(head) :]
        mark = "\ufeff" if head.startswith("\ufeff") else ""
        try:
            cut = _cut(head.removeprefix(mark).encode())
        except (expat.ExpatError, _Refused, ValueError, UnicodeEncodeError):
            return None
        return packet if cut is None else (mark + cut.decode() + rest).encode(encoding)
    return None


def _encodings(packet: bytes) -> tuple[str, ...]:
    """Old programs write Latin-1, in which any bytes can be read and written again."""
    for mark, encoding in _MARKS:
        if packet.startswith(mark):
            return (encoding,)
    return ("utf-8", "latin-1")


def _cut(data: bytes) -> bytes | None:
    """None if there is nothing to cut out."""
    cutter = _Cutter(data)
    cutter.run()
    if not cutter.spans:
        return None
    kept, at = [], 0
    for start, end in sorted(cutter.spans):
        kept.append(data[at:start])
        at = end
    cut = b"".join((*kept, data[at:]))
    _Cutter(cut).run()  # what was cut must be XML still
    return cut
