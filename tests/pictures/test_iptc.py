"""IPTC-IIM, Photoshop's resources and texts of PNG lose what tells a place."""

import hashlib
import zlib

import places
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photoarc.pictures.places import iptc, photoshop, png_texts, strip

WITHOUT = places.dataset(0, b"\0\4") + places.dataset(80, b"A. Author")


def raw(name, data):
    """A profile in letters, as ImageMagick writes it."""
    letters = data.hex()
    lines = "\n".join(letters[at : at + 72] for at in range(0, len(letters), 72))
    return f"\n{name}\n{len(data):8d}\n{lines}\n".encode()


@pytest.mark.parametrize(
    ("number", "text"), [(120, b"48.8583701, 2.2944813"), (25, b"geo:lat=48.8583"), (116, "48°51'30\" N 2°17'40\" E".encode())]
)
def test_texts_with_coordinates_go_and_are_said(number, text):
    dropped = []
    assert iptc.strip(places.dataset(number, text) + WITHOUT, dropped) == WITHOUT
    assert dropped == ["a text with coordinates"]
    kept = places.dataset(number, b"Grandmother, 1978")
    assert iptc.strip(kept + WITHOUT, dropped := []) == kept + WITHOUT
    assert not dropped


@pytest.mark.parametrize("number", [1008, 1035, 1054])
def test_texts_of_photoshop_with_coordinates_go_and_are_said(number):
    def resource(text):
        return b"8BIM" + number.to_bytes(2, "big") + b"\0\0" + len(text).to_bytes(4, "big") + text + bytes(len(text) & 1)

    assert photoshop.strip(resource(b"48.8583701, 2.2944813")) == (b"", ["a text with coordinates"])
    assert photoshop.strip(resource(b"https://example.org/a")) == (resource(b"https://example.org/a"), [])


@pytest.mark.parametrize("number", [26, 27, 90, 92, 95, 100, 101])
def test_datasets_that_tell_a_place_go(number):
    assert iptc.strip(places.dataset(number, b"Berlin") + WITHOUT + bytes(3), []) == WITHOUT + bytes(3)
    assert iptc.strip(places.dataset(number, b"B", record=3), []) == places.dataset(number, b"B", record=3)
    long = bytes([0x1C, 2, number, 0x80, 4, 0, 1, 0, 0]) + bytes(65536)
    assert iptc.strip(long + WITHOUT, []) == WITHOUT


@pytest.mark.parametrize(
    "iim", [b"\x1c", b"\x1c\2\x5a\0\7Berlin", b"x", WITHOUT + b"\x1c\2\x5a\xff\xff", b"\x1c\2\x5a\x80\4\xff\xff\xff\xff"]
)
def test_datasets_that_cannot_be_followed(iim):
    assert iptc.strip(iim, []) is None


def test_resources_keep_what_is_no_place_and_a_true_digest():
    def block(iim):
        digest = places.resource(0x0425, hashlib.md5(iim).digest())
        return places.resource(0x03ED, b"odd", b"name") + places.resource(0x0404, iim) + digest

    assert photoshop.strip(block(places.IIM)) == (block(WITHOUT), [])
    assert photoshop.strip(block(WITHOUT)) == (block(WITHOUT), [])


def test_resources_of_other_kinds():
    body, dropped = photoshop.strip(
        places.resource(0x0422, places.exif())
        + places.resource(0x0424, places.packet("<a:City>Berlin</a:City>"))
        + places.resource(4500, bytes(99))
    )
    assert b"Berlin" not in body
    assert places.packet() in body
    assert strip.strip_exif(places.exif())[0] in body
    assert dropped == ["Photoshop resources of plug-ins"]
    assert photoshop.strip(b"8BIM\4\4") == (None, ["Photoshop resources that cannot be followed"])


def chunk(kind, keyword, text):
    head = {b"tEXt": b"", b"zTXt": b"\0", b"iTXt": b"\1\0en\0\0"}[kind]
    return keyword + b"\0" + head + (text if kind == b"tEXt" else zlib.compress(text, 9))


def stripped(kind, keyword, text):
    return png_texts.strip(kind, chunk(kind, keyword, text), strip.strip_exif)


@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt", b"iTXt"])
def test_texts_of_png(kind):
    assert stripped(kind, b"Title", b"GPS tour") == (chunk(kind, b"Title", b"GPS tour"), [])
    assert stripped(kind, b"exif:GPSLatitude", b"52/1") == (None, [])
    assert stripped(kind, b"Location", b"Berlin") == (None, [])
    assert stripped(kind, b"Comment", b"lat: 52.5, lon: 13.4") == (None, ["a text with coordinates"])
    profiles = {
        b"exif": (b"Exif\0\0" + places.exif(), b"Exif\0\0" + strip.strip_exif(places.exif())[0]),
        b"app1": (b"http://ns.adobe.com/xap/1.0/\0" + places.packet("<a:City/>"), b"http://ns.adobe.com/xap/1.0/\0" + places.packet()),
        b"xmp": (places.packet("<a:City/>"), places.packet()),
        b"iptc": (places.IIM, WITHOUT),
        b"8bim": (places.resource(0x0404, places.IIM), places.resource(0x0404, WITHOUT)),
    }
    for name, (before, after) in profiles.items():
        keyword = b"Raw profile type " + name
        assert stripped(kind, keyword, raw("generic", before)) == (chunk(kind, keyword, raw("generic", after)), [])
        assert stripped(kind, keyword, raw("generic", after)) == (chunk(kind, keyword, raw("generic", after)), [])
        assert stripped(kind, keyword, b"no letters")[0] is None
    assert stripped(kind, b"Raw profile type icc", b"anything")[0] == chunk(kind, b"Raw profile type icc", b"anything")
    assert stripped(kind, b"Raw profile type gpx", raw("gpx", b"any")) == (None, ["a profile gpx in a text of a PNG"])
    packet = stripped(kind, b"XML:com.adobe.xmp", places.packet("<a:City/>"))
    assert packet == (chunk(kind, b"XML:com.adobe.xmp", places.packet()), [])


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 200), st.integers(0, 20), st.binary(max_size=12))
def test_damaged_iptc_is_stripped_or_dropped(at, length, noise):
    for data in (places.IIM, places.resource(0x0404, places.IIM) + places.resource(0x0425, bytes(16), b"n")):
        damaged = data[:at] + noise + data[at + length :]
        iptc.strip(damaged, [])
        body, dropped = photoshop.strip(damaged)
        assert dropped if body is None else photoshop.strip(body) == (body, [])
        png_texts.strip(b"zTXt", damaged, strip.strip_exif)
        png_texts.strip(b"iTXt", b"Raw profile type iptc\0\0\0\0\0" + raw("iptc", damaged)[: at + 20], strip.strip_exif)
