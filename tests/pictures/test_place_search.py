"""Places in files that are kept as they are: JUMBF boxes, and files made to keep whoever looks busy."""

import struct
import zlib
from pathlib import Path

import pictures
import places
import pytest
from typer.testing import CliRunner

from photoarc.cli import app
from photoarc.jobs.tally import FileRemarks
from photoarc.pictures import jumbf
from photoarc.pictures.kinds import PNG_SIGNATURE
from photoarc.pictures.metadata import Item
from photoarc.pictures.places import exif, extended_xmp, iptc, search, strip, xmp

MEGABYTE = 1 << 20
JSON = b'{"exif:GPSLatitude":"52,31.2N"}'
CBOR = b"\xa1\x70exif:GPSLatitude\x68" + b"52,31.2N"
NO_PLACE = b'{"dc:title":"GPSLatitude","exif:Make":"A"}'


def box(kind, body):
    return struct.pack(">I", 8 + len(body)) + kind + body


def superbox(assertion, kind=b"json"):
    return box(b"jumb", box(b"jumd", b"c2pa" + bytes(12) + b"\3c2pa\0") + box(b"jumb", box(b"jumd", b"x" * 17) + box(kind, assertion)))


def jpeg(assertion):
    return pictures.jpeg(pictures.photo(64, 48), segments=[(0xEB, b"JP\0\1\0\0\0\1" + superbox(assertion))])


def png(assertion):
    return pictures.png(pictures.photo(64, 48), [(b"caBX", superbox(assertion, b"cbor"))], [])


@pytest.mark.parametrize("make", [jpeg, png, superbox, lambda body: b"any" + superbox(body)])
@pytest.mark.parametrize(
    ("body", "is_one"),
    [
        (JSON, True),
        (CBOR, True),
        (b'{"Iptc4xmpExt:LocationCreated" : {}}', True),
        (b"\xa1\x6ephotoshop:City\x66Berlin", True),
        (b"\xa1\x78\x1bIptc4xmpExt:LocationCreated\xa0", True),
        (NO_PLACE, False),
        (b"\xa1\x69exif:Make\x6aexif:Model", False),
    ],
)
def test_places_in_jumbf(make, body, is_one):
    assert search.holds_place(make(body)) is is_one


def test_boxes_without_a_length_and_with_a_long_one():
    inner = box(b"jumd", bytes(17)) + box(b"json", JSON)
    assert search.holds_place(bytes(4) + b"jumb" + inner)
    assert search.holds_place(b"\0\0\0\1jumb" + struct.pack(">Q", 16 + len(inner)) + inner)
    assert next(jumbf.boxes(superbox(JSON) + bytes(50) + b"rest")).startswith(superbox(JSON))


def test_pack_names_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.heic").write_bytes(b"\0\0\0\x18ftypheic" + superbox(JSON))
    Path("b.heic").write_bytes(b"\0\0\0\x18ftypheic" + superbox(NO_PLACE))
    done = CliRunner().invoke(app.app, ["pack", "a.heic", "b.heic", "x.pha", "--strip", "gps", "-j", "0"])
    assert "A PLACE IS STILL IN 1 file kept bit-exact, with all that they hold: a.heic;" in done.output


def test_one_and_many():
    remarks = FileRemarks()
    remarks._dropped = {"Photoshop resources of plug-ins": ["a.jpg"], "a segment APP7 of a maker": ["b.jpg"]}
    assert remarks.warnings() == [
        "--strip gps: Photoshop resources of plug-ins were left out, for they may hold a place, of 1 photograph: a.jpg",
        "--strip gps: a segment APP7 of a maker was left out, for it may hold a place, of 1 photograph: b.jpg",
    ]


@pytest.mark.parametrize("piece", [b"<x:xmpmeta ", b"<rdf:RDF>", b"<x:xmpmeta><rdf:RDF>", b"\0\0\xff\xffjumb\0\0\0\0jumd", b"wexif:"])
def test_what_is_opened_and_never_closed_is_looked_at_once(piece):
    """With a search of its own for each, a megabyte took minutes."""
    data = piece * (MEGABYTE // len(piece))
    assert not search.holds_place(data)
    assert not search.holds_place(bytes(4) + b"jumb" + bytes(4) + b"jumd" + data)
    assert search.holds_place(data + places.packet("<a:GPSLatitude>1</a:GPSLatitude>") + b"</x:xmpmeta>")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("shift", range(4))
def test_packets_of_every_encoding(encoding, shift):
    def file(properties):
        packet = places.packet(properties).decode().replace("</x:xmpmeta>", "</x:xmpmeta\n>")
        return bytes(shift) + b"\xff\xd8" + packet.encode(encoding) + b"\xff\xd9"

    assert search.holds_place(file("<a:City>K\u00f6ln</a:City>"))
    assert search.holds_place(file("<a:Title>lat: 52.5, lon: 13.4</a:Title>"))
    assert not search.holds_place(file("<a:Title>K\u00f6ln</a:Title>"))
    unclosed = "<x:xmpmeta>".encode(encoding)
    assert not search.holds_place(unclosed * (MEGABYTE // len(unclosed)))


def test_texts_that_inflate_to_anything():
    bomb = zlib.compress(bytes(64 << 20), 9)
    assert not search.holds_place(PNG_SIGNATURE + b"\0\0\xff\xffzTXta\0\0" * 200 + bomb)


def test_datasets_of_no_length():
    data = b"\x1c\x02\x50\0\0" * (MEGABYTE // 5)
    assert iptc.strip(data, []) == data
    assert iptc.strip(data + bytes(5), []) == data + bytes(5)
    assert iptc.strip(data + bytes(5) + b"x", []) is None


def test_segments_in_each_other():
    data = b"\xff\xe1\xff\xffExif\0\0" * (MEGABYTE // 10)
    assert not any(exif.strip_pictures(data)[4:])


def test_many_parts_of_extended_xmp():
    with_place = places.packet("<a:City>Berlin</a:City>")
    head = len(with_place).to_bytes(4, "big") + bytes(4)
    parts = [Item(b"APP1", extended_xmp.PREFIX + b"%032X" % number + head + with_place) for number in range(1000)]
    told = [Item(b"APP1", b"http://ns.adobe.com/xap/1.0/\0" + places.packet(f"<a:Data>{number:032X}</a:Data>")) for number in range(1000)]
    done = strip.strip([*told, *parts])
    assert not any(b"Berlin" in item.body for item in done.items)
    new = xmp.strip(with_place)[0]
    assert all(item.body.endswith(new) for item in done.items[1000:])
    assert b"%032X" % 7 not in done.items[7].body
    unknown = Item(b"APP1", extended_xmp.PREFIX + b"no MD5 in thirty-two characters!" + head + with_place)
    assert strip.strip([unknown]).dropped == (extended_xmp.BROKEN,)
