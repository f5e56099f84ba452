"""XMP packets without the properties that tell a place; everything else stays byte for byte.

    packet --decode--> text --expat--> places of elements and attributes in it --cut out--> text --encode--> packet

Source: ISO 16684-1 (XMP is RDF in XML: a property is an element or an attribute, of any prefix). The parser only says where things stand,
so nothing is written anew. Document types are refused, and with them all entities but the five of XML itself.
"""

from __future__ import annotations

import re
from xml.parsers import expat

from photoarc.pictures.places.coordinates import names_coordinates
from photoarc.pictures.places.names import is_no_place_of, is_place

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
_NO_PROPERTIES = ("xmlns", "xml:")
_NAMES = re.compile(r"[<\s][\w.-]+:([\w.-]+)\s*[=>/\s]")  # of elements and attributes in a text that is XML itself
_MOST_ITEMS = 3
_LIST, _ITEM = ("rdf:Seq", "rdf:Bag", "rdf:Alt"), "rdf:li"
_LONGEST_LETTERS = 4096  # longer ones of base 64, or hexadecimal, are pictures in letters
_LETTERS = re.compile(r"[\w+/=\-\s]*", re.ASCII)
NO_XML = "XMP that is no sound XML"


class _Refused(Exception):
    """XML with a document type."""


class _Cutter:
    """Spans (start, end) of UTF-8 bytes to leave out."""

    def __init__(self, data: bytes) -> None:
        self.data, self.spans = data, list[tuple[int, int]]()
        self.texts = 0  # that were left out for what they say
        self._open_at = list[int]()  # where the open elements start
        self._texts = list[list[str]]()
        self._names = list[str]()  # of the properties that the open elements are, or are parts of
        self._items = list[list[str]]()  # what the items in the open elements say
        self._outermost = 0  # depth of the element that is left out as a whole, 0 outside of any
        self._cdata_at = 0
        self._parser = expat.ParserCreate("UTF-8")
        self._parser.ordered_attributes = self._parser.buffer_text = True
        self._parser.StartElementHandler = self._open
        self._parser.EndElementHandler = self._close
        self._parser.CharacterDataHandler = self._text
        self._parser.StartCdataSectionHandler = self._open_cdata
        self._parser.EndCdataSectionHandler = self._close_cdata
        self._parser.CommentHandler = self._comment
        self._parser.ProcessingInstructionHandler = self._instruction
        self._parser.StartDoctypeDeclHandler = self._refuse

    def run(self) -> None:
        """Raises ExpatError or _Refused for what is no sound XML."""
        self._parser.Parse(self.data, True)

    def _open(self, name: str, attributes: list[str]) -> None:
        at = self._parser.CurrentByteIndex
        self._open_at.append(at)
        self._texts.append([])
        self._items.append([])
        self._names.append(self._names[-1] if name.startswith("rdf:") and self._names else name)
        if self._outermost:
            return
        if _names_place(name) and not is_no_place_of(name, self._text_ahead(at)):
            self._outermost = len(self._open_at)
            return
        pairs = list(zip(attributes[::2], attributes[1::2], strict=True))
        places = [self._is_place(key, value) for key, value in pairs]
        if any(places):
            begin = at + 1 + len(name.encode())
            for key, is_one in zip(attributes[::2], places, strict=True):
                match = _ATTRIBUTE.match(self.data, begin)
                if match is None or match[1].decode() != key:
                    raise _Refused
                self.spans += [match.span()] if is_one else []
                self.texts += is_one and not _names_place(key)
                begin = match.end()

    def _is_place(self, key: str, value: str) -> bool:
        """Whether an attribute tells a place; those of RDF say what the property says in which they stand."""
        name = self._names[-1] if key.startswith("rdf:") else key
        return (_names_place(key) and not is_no_place_of(key, value)) or _says_place(value, name)

    def _close(self, kind: str) -> None:
        start, text, name, items = self._open_at.pop(), "".join(self._texts.pop()), self._names.pop(), self._items.pop()
        depth = len(self._open_at) + 1
        if self._outermost and depth > self._outermost:
            return
        if kind in _LIST and 2 <= len(items) <= _MOST_ITEMS:  # latitude and longitude, and the height perhaps
            text = text if text.strip() else " ; ".join(items)
        if depth == self._outermost or _says_place(text, name):
            self.texts += depth != self._outermost
            end = self._end_of_tag(start)
            if self.data[end - 2 : end] != b"/>":  # of an empty element the parser does not say where it ends
                end = self.data.index(b">", self._parser.CurrentByteIndex) + 1
            while self.spans and self.spans[-1][0] >= start:  # what was found in it
                self.spans.pop()
            self.spans.append((start, end))
            self._outermost = 0
        elif kind == _ITEM and self._items:
            self._items[-1].append(text.strip())

    def _text(self, text: str) -> None:
        if self._texts and not self._outermost:
            self._texts[-1].append(text)

    def _open_cdata(self) -> None:
        self._cdata_at = self._parser.CurrentByteIndex

    def _close_cdata(self) -> None:
        end = self.data.index(b"]]>", self._cdata_at) + 3
        if not self._outermost and _holds_markup(self.data[self._cdata_at : end].decode()):
            self.spans.append((self._cdata_at, end))
            self._texts[-1].clear()

    def _comment(self, text: str) -> None:
        self._aside(text, b"-->")

    def _instruction(self, _target: str, text: str) -> None:
        self._aside(text, b"?>")

    def _aside(self, text: str, end: bytes) -> None:
        """What is no part of the document goes if it has properties in it, or coordinates."""
        if not self._outermost and ("<" in text or names_coordinates(text)):
            at = self._parser.CurrentByteIndex
            self.spans.append((at, self.data.index(end, at) + len(end)))

    def _text_ahead(self, at: int) -> str:
        """What an element without others in it says; it is asked when it opens."""
        end = self._end_of_tag(at)
        text = b"" if self.data[end - 2 : end] == b"/>" else self.data[end : self.data.find(b"<", end)]
        return text.decode(errors="replace")

    def _end_of_tag(self, at: int) -> int:
        """Behind a tag; `>` may stand in the value of an attribute."""
        match = _TAG.match(self.data, at)
        if match is None:
            raise _Refused
        return match.end()

    def _refuse(self, *_: object) -> None:
        raise _Refused


def _names_place(name: str) -> bool:
    return not name.startswith(_NO_PROPERTIES) and is_place(name.rpartition(":")[2])


def _says_place(text: str, name: str = "") -> bool:
    """Whether a value of a property of some name says coordinates, or has properties of places in it as XML of its own."""
    if len(text) > _LONGEST_LETTERS and _LETTERS.fullmatch(text):
        return False
    return names_coordinates(text, name) or _holds_markup(text)


def _holds_markup(text: str) -> bool:
    return "<" in text and any(is_place(name) for name in _NAMES.findall(text))


def strip(packet: bytes) -> tuple[bytes | None, list[str]]:
    """A packet without places, NULs and padding behind it as they were, and in words what was dropped; None if it is no sound XML."""
    for encoding in _encodings(packet):
        try:
            text = packet.decode(encoding)
        except UnicodeDecodeError:
            continue
        head = text.rstrip("\0")
        rest = text[len(head) :]
        mark = "\ufeff" if head.startswith("\ufeff") else ""
        try:
            cut, dropped = _cut(head.removeprefix(mark).encode())
        except (expat.ExpatError, _Refused, ValueError, UnicodeEncodeError):
            break
        return (packet if cut is None else (mark + cut.decode() + rest).encode(encoding)), dropped
    return None, [NO_XML]


def _encodings(packet: bytes) -> tuple[str, ...]:
    """Old programs write Latin-1, in which any bytes can be read and written again."""
    for mark, encoding in _MARKS:
        if packet.startswith(mark):
            return (encoding,)
    return ("utf-8", "latin-1")


def _cut(data: bytes) -> tuple[bytes | None, list[str]]:
    """What is left, None if there is nothing to cut out, and in words what was dropped."""
    cutter = _Cutter(data)
    cutter.run()
    if not cutter.spans:
        return None, []
    kept, at = [], 0
    for start, end in sorted(cutter.spans):
        kept.append(data[at:start])
        at = end
    cut = b"".join((*kept, data[at:]))
    _Cutter(cut).run()  # what was cut must be XML still
    return cut, ["a text with coordinates"] * bool(cutter.texts)
