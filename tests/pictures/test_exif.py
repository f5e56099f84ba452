"""EXIF loses every place and keeps its length; what cannot be followed keeps its orientation only."""

import io
import struct

import pictures
import places
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from photoarc.pictures.places import exif, search


def read(tiff):
    found = Image.Exif()
    found.load(tiff)
    return found


def has_place(tiff, endian="<"):
    return struct.pack(endian + "II", *places.SECONDS) in tiff


@pytest.mark.parametrize("endian", ["<", ">"])
def test_exif_loses_the_place_and_nothing_else(endian):
    before = places.exif(endian)
    after, dropped = exif.strip(before)
    assert len(after) == len(before)
    assert dropped == []
    assert dict(read(after)) == {0x0112: 6, 0x010E: "a picture with a place", 0x8769: read(before)[0x8769]}
    assert read(after).get_ifd(ExifTags.IFD.GPSInfo) == {}
    assert read(after).get_ifd(ExifTags.IFD.Exif) == {0x9003: "2026:01:02 03:04:05"}
    assert has_place(before, endian)
    assert not has_place(after, endian)
    assert search.holds_place(b"any" + before)
    assert not search.holds_place(b"any" + after)


def test_exif_without_a_place_is_not_touched():
    assert exif.strip(pictures.exif(3)) == (pictures.exif(3), [])


def test_exif_that_cannot_be_followed_keeps_its_orientation():
    tiff = places.exif()
    for broken in (b"", b"II*\0", tiff[:40], b"XX" + tiff[2:], tiff[:4] + b"\xff\xff\xff\x7f" + tiff[8:], tiff[:4] + bytes(4) + tiff[8:]):
        assert exif.strip(broken) == (None, [exif.BROKEN])
    cut = places.tiff(places.directory([(0x0112, 3, 1, b"\6\0"), (0x8769, 4, 1, b"\xff\xff\0\0")]))
    kept, dropped = exif.strip(cut)
    assert dict(read(kept)) == {0x0112: 6}
    assert dropped == [exif.BROKEN]


@pytest.mark.parametrize("endian", ["<", ">"])
def test_gps_directories_wherever_they_are(endian):
    def number(value, size=4):
        return value.to_bytes(size, "little" if endian == "<" else "big")

    gps = places.directory([(1, 2, 2, b"N\0"), (2, 5, 1, number(400))], endian=endian)
    place = struct.pack(endian + "II", *places.SECONDS)
    pointer = (0x8825, 4, 1, number(200))
    turned = (0x0112, 3, 1, number(6, 2))
    exif_pointer = (0x8769, 4, 1, number(100))
    makes = {
        "in the directory of EXIF": ([turned, exif_pointer], [pointer], 0),
        "in the directory of interoperability": ([turned, (0xA005, 4, 1, number(100))], [(1, 2, 4, b"R98"), pointer], 0),
        "in a directory below": ([turned, (0x014A, 4, 1, number(100))], [pointer], 0),
        "in that of the thumbnail": ([turned], [pointer], 100),
        "twice": ([turned, exif_pointer, pointer], [pointer], 0),
        "tags of GPS in others": ([turned, (2, 5, 1, number(400)), exif_pointer], [(4, 5, 1, number(400)), (1, 2, 2, b"N\0")], 0),
        "directories in a circle": ([turned, exif_pointer], [pointer, (0x8769, 4, 1, number(8)), (0xA005, 4, 1, number(100))], 8),
        "as a short": ([turned, (0x8825, 3, 1, number(200, 2))], [], 0),
        "of no entries": ([turned, (0x8825, 4, 0, number(0))], [], 0),
        "on the header": ([turned, (0x8825, 4, 1, number(0))], [], 0),
        "on the directory itself": ([turned, (0x8825, 4, 1, number(8))], [], 0),
        "behind the end": ([turned, (0x8825, 4, 1, number(1 << 30))], [], 0),
    }
    for what, (first, second, following) in makes.items():
        tiff = places.tiff(places.directory(first, following, endian), endian=endian).ljust(100, b"\0")
        tiff = (tiff + places.directory(second, 0, endian)).ljust(200, b"\0") + gps
        there = not what.startswith(("of", "on", "behind"))
        tiff = tiff.ljust(400, b"\0") + place if there else tiff[:200]
        after, _ = exif.strip(tiff)
        assert place not in after, what
        assert not search.holds_place(after), what
        assert exif.strip(after) == (after, []), what
        assert read(after)[0x0112] == 6, what


@pytest.mark.parametrize("tag", [33550, 33922, 34264, 34735, 34736, 34737])
def test_geotiff(tag):
    tiff = places.tiff(places.directory([(0x0112, 3, 1, b"\6\0"), (tag, 12, 1, struct.pack("<I", 60))])).ljust(60, b"\0") + b"eightlet"
    after, dropped = exif.strip(tiff)
    assert b"eight" not in after
    assert dropped == []
    assert dict(read(after)) == {0x0112: 6}


def test_pictures_in_exif_lose_their_own_metadata():
    app1 = b"Exif\0\0" + places.exif()
    thumbnail = pictures.jpeg(
        pictures.photo(64, 48), segments=[(0xE1, app1), (0xED, b"Photoshop 3.0\0" + places.resource(0x0404, places.IIM))]
    )
    entries = [(0x0201, 4, 1, struct.pack("<I", 26 + 30)), (0x0202, 4, 1, struct.pack("<I", len(thumbnail)))]
    tiff = places.tiff(places.directory([(0x0112, 3, 1, b"\1\0")], 26), places.directory(entries), thumbnail)
    after, dropped = exif.strip(tiff)
    assert has_place(tiff)
    assert not has_place(after)
    assert b"Berlin" not in after
    assert dropped == []
    with Image.open(io.BytesIO(after[56:])) as kept, Image.open(io.BytesIO(thumbnail)) as before:
        assert kept.tobytes() == before.tobytes()


def test_rubbish_where_the_next_directory_should_be_is_cut_off():
    tiff = places.tiff(places.directory([(0x0112, 3, 1, b"\6\0")], 0x7FFF0000))
    assert exif.strip(tiff) == (tiff[:-4] + bytes(4), [])


def test_xmp_iptc_and_texts_in_exif():
    xmp, texts = places.packet("<a:City>Berlin</a:City>"), b"gps 52.52, 13.40 \0\0"
    at = 8 + 2 + 4 * 12 + 4
    entries = [
        (0x010E, 2, len(texts), struct.pack("<I", at)), (0x02BC, 1, len(xmp), struct.pack("<I", at + len(texts))),
        (0x83BB, 4, 18, struct.pack("<I", at + len(texts) + len(xmp))), (0x8649, 1, 2, b"xx"),
    ]  # fmt: skip
    tiff = places.tiff(places.directory(entries), texts, xmp, places.IIM.ljust(72, b"\0"))
    after, dropped = exif.strip(tiff)
    assert len(after) == len(tiff)
    assert b"Berlin" not in after
    assert b"52.52" not in after
    assert places.packet() in after
    assert b"A. Author" in after
    assert dropped == ["what programs left in EXIF", "a text with coordinates"]


def note(start, entries, endian="<", at=0):
    return start + places.directory(entries, endian=endian)


KNOWN = {
    "Canon": (note(b"", [(0x0001, 3, 1, b"\7\0"), (0x0035, 4, 1, b"PLAC")]), "Canon"),
    "Nikon": (note(b"Nikon\0\2\x10\0\0II*\0\x08\0\0\0", [(0x0001, 7, 4, b"0210"), (0x0039, 7, 4, b"PLAC")]), "NIKON"),
    "Panasonic": (note(b"Panasonic\0\0\0", [(0x0001, 3, 1, b"\1\0"), (0x006D, 7, 4, b"PLAC")]), "Panasonic"),
    "Pentax": (note(b"AOC\0II", [(0x0001, 3, 1, b"\1\0"), (0x0023, 3, 1, b"PLAC")]), "PENTAX"),
    "Casio": (note(b"QVC\0\0\0", [(0x2000, 3, 1, b"\1\0"), (0x3006, 2, 4, b"PLAC")], ">"), "CASIO"),
    "Apple": (note(b"Apple iOS\0\0\1MM", [(0x0001, 9, 1, b"\0\0\0\1")], ">"), "Apple"),
    "Fujifilm": (note(b"FUJIFILM\x0c\0\0\0", [(0x1000, 2, 4, b"FINE")]), "FUJIFILM"),
    "Olympus": (note(b"OLYMPUS\0II\3\0", [(0x0001, 2, 4, b"FINE")]), "OLYMPUS"),
}


@pytest.mark.parametrize("maker", KNOWN)
def test_notes_of_known_makers_lose_places_only(maker):
    body, make = KNOWN[maker]
    after, dropped = exif.strip(places.exif("<", body, make))
    assert dropped == []
    held = read(after).get_ifd(ExifTags.IFD.Exif)[0x927C]
    assert len(held) == len(body)
    assert held[:4] == (body[:4] if make != "Canon" else b"\1\0\1\0")
    assert b"PLAC" not in held
    assert not has_place(after)


@pytest.mark.parametrize(
    "body", [b"DJI\0GPS(52.5)", b"\xff\xffnothing", b"Nikon\0\2\x10\0\0II*\0\xff\0\0\0", b"Apple iOS\0\0\1MM\0\x09", b"AOC\0II\0\0\0\0"]
)
def test_notes_of_others_are_dropped_and_that_is_said(body):
    after, dropped = exif.strip(places.exif("<", body, "A maker"))
    assert dropped == ["a maker's note"]
    assert 0x927C not in read(after).get_ifd(ExifTags.IFD.Exif)
    assert body not in after


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(0, 200))
@example(b"\0", 146)  # the directory of the place lies on the one that names it
def test_any_exif_is_stripped_or_dropped(noise, at):
    changed = places.exif()
    changed = changed[:at] + noise + changed[at + len(noise) :]
    stripped, dropped = exif.strip(changed)
    assert stripped is None or len(stripped) == len(changed) or dropped
    search.holds_place(changed)


NOTED = [places.exif(endian, *KNOWN[maker]) for endian in "<>" for maker in KNOWN]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(NOTED), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=4), st.integers(0, 500))
def test_a_damaged_exif_holds_no_place_that_its_directories_lead_to(tiff, changes, end):
    damaged = bytearray(tiff)
    for at, value in changes:
        damaged[at % len(tiff)] = value
    damaged = bytes(damaged[:end] if end < 300 else damaged)
    stripped, _ = exif.strip(damaged)
    if stripped is not None:
        assert not search.holds_place(stripped)
        assert exif.strip(stripped)[0] == stripped


def with_text(tag, kind, text, chain="first"):
    """EXIF with a text in its first directory, or in one below or behind it."""
    at = 8 + 2 + 12 + 4
    if chain == "first":
        return places.tiff(places.directory([(tag, kind, len(text), struct.pack("<I", at))]), text)
    pointer = {"exif": 0x8769, "interop": 0xA005, "sub": 0x014A, "next": 0x0112}[chain]
    value = b"\6\0" if chain == "next" else struct.pack("<I", at)
    first = places.directory([(pointer, 3 if chain == "next" else 4, 1, value)], at if chain == "next" else 0)
    return places.tiff(first, places.directory([(tag, kind, len(text), struct.pack("<I", at + 18))]), text)


@pytest.mark.parametrize("chain", ["first", "exif", "interop", "sub", "next"])
@pytest.mark.parametrize(
    ("tag", "kind", "code"),
    [(tag, 2, b"") for tag in (0x000B, 0x010D, 0x010E, 0x013B, 0x014D, 0x8298, 0x9212, 0x9C9F, 0xA004, 0xA420, 0xA430, 0xC614, 0xFDE8)]
    + [
        (0x010E, 129, b""),
        (0x9286, 7, b"ASCII\0\0\0"),
        (0x9286, 7, bytes(8)),
        (0x9286, 7, b""),
        (0xABCD, 7, b"JIS\0\0\0\0\0"),
        (0xC68B, 1, b""),
    ],
)
def test_texts_of_every_tag_and_type_are_asked(chain, tag, kind, code):
    if chain == "interop" and tag == 0x000B:
        return
    tiff = with_text(tag, kind, code + b"gps 52.52, 13.40\0", chain)
    after, dropped = exif.strip(tiff)
    assert (b"52.52" in (after or b""), dropped) == (False, ["a text with coordinates"])
    said = tiff.replace(b"gps 52.52, 13.40", b"Grandmother 1978")
    assert exif.strip(said) == (said, [])


@pytest.mark.parametrize(
    ("kind", "text"),
    [(2, b"48.858 2.294\0"), (2, b"A. Author\0at 8FW4V75V+8Q\0"), (7, b"ASCII\0\0\x0048.858 2.294"),
     (7, b"UNICODE\0" + "48.858 2.294".encode("utf-16-le")), (7, b"UNICODE\0" + "48\u00b051\u203230\u2033".encode("utf-16-be")),
     (1, "N48.8 E2.2\0".encode("utf-16-le")),
     (129, "48\u00b051\u203230\u2033 N\0".encode())],
)  # fmt: skip
def test_texts_however_written(kind, text):
    after, dropped = exif.strip(with_text(0x9286, kind, text))
    assert (text in (after or b""), dropped) == (False, ["a text with coordinates"])


@pytest.mark.parametrize(
    ("tag", "kind", "value"),
    [(0x0132, 2, b"2026:01:02 03:04:05\0"), (0xA431, 2, b"12CAB1234567890\0"), (0x9286, 7, b"\1\2\3gps 52.52, 13.40"),
     (0xA432, 5, bytes(32)), (0x9286, 7, b"ASCII\0\0\0Grandmother, 1978")],
)  # fmt: skip
def test_values_that_are_no_such_texts_stay(tag, kind, value):
    tiff = places.tiff(places.directory([(tag, kind, len(value) // (8 if kind == 5 else 1), struct.pack("<I", 26))]), value)
    assert exif.strip(tiff) == (tiff, [])


def test_a_known_makers_note_loses_a_text_with_coordinates():
    said = (0x0207, 2, 18, struct.pack("<I", 12 + 30))
    for entries, dropped in (([said, (1, 3, 1, b"\1\0")], "a text with coordinates"), ([said], "a maker's note")):
        note = (b"OLYMPUS\0II\3\0" + places.directory(entries)).ljust(42, b"\0") + b"gps 52.52, 13.40\0\0"
        after, lost = exif.strip(places.exif("<", note, "OLYMPUS"))
        assert (b"52.52" in after, b"OLYMPUS\0II" in after, lost) == (False, dropped != "a maker's note", [dropped])
