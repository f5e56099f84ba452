"""Taking GPS out of metadata: nothing of it is left, everything else is."""

import io
import struct
import zlib
from pathlib import Path

import pictures
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import ExifTags, Image
from typer.testing import CliRunner

import photoarc
from photoarc import cli
from photoarc.pictures import gps
from photoarc.pictures.metadata import Item

PLACE = (52.0, 31.0, 12.25)
XMP = b"""<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:Description exif:GPSLatitude="52,31.2N" exif:GPSLongitude='13,24.5E' xmp:Rating="5"
 xmlns:exif="http://ns.adobe.com/exif/1.0/">
<exif:GPSAltitude>34/1</exif:GPSAltitude><exif:GPSTimeStamp/><dc:title>GPS tour</dc:title></rdf:Description>
</x:xmpmeta>"""


def with_gps(endian="<"):
    """EXIF as TIFF bytes: orientation, a date in the EXIF directory, and a place."""
    exif = Image.Exif()
    exif.endian = endian
    exif[0x0112] = 6
    exif[0x010E] = "a picture with a place"
    exif.get_ifd(ExifTags.IFD.Exif)[0x9003] = "2026:01:02 03:04:05"
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: PLACE, 3: "E", 4: PLACE, 29: "2026:01:02"})
    return exif.tobytes().removeprefix(b"Exif\0\0")


def read(exif):
    found = Image.Exif()
    found.load(exif)
    return found


@pytest.mark.parametrize("endian", ["<", ">"])
def test_exif_loses_the_place_and_nothing_else(endian):
    before = with_gps(endian)
    after = gps.strip_exif(before)
    assert len(after) == len(before)
    assert dict(read(after)) == {0x0112: 6, 0x010E: "a picture with a place", 0x8769: read(before)[0x8769]}
    assert read(after).get_ifd(ExifTags.IFD.GPSInfo) == {}
    assert read(after).get_ifd(ExifTags.IFD.Exif) == {0x9003: "2026:01:02 03:04:05"}
    assert struct.pack(endian + "II", 1225, 100) not in after
    assert struct.pack(endian + "II", 49, 4) in before
    assert struct.pack(endian + "II", 49, 4) not in after


def test_exif_without_a_place_is_not_touched():
    exif = pictures.exif(3)
    assert gps.strip_exif(exif) == exif


def test_exif_that_cannot_be_followed_is_dropped():
    exif = with_gps()
    for broken in (b"", b"II*\0", exif[:40], b"XX" + exif[2:], exif[:4] + b"\xff\xff\xff\x7f" + exif[8:]):
        assert gps.strip_exif(broken) is None


@given(st.binary(max_size=200), st.integers(0, 200))
@example(b"\0", 146)  # the directory of the place lies on the one that names it
def test_any_exif_is_stripped_or_dropped(noise, at):
    exif = with_gps()
    changed = exif[:at] + noise + exif[at + len(noise) :]
    stripped = gps.strip_exif(changed)
    assert stripped is None or len(stripped) == len(changed)


def test_xmp_loses_gps_properties():
    after = gps.strip_xmp(XMP)
    assert b"GPS tour" in after
    assert b'xmp:Rating="5"' in after
    assert b"52,31" not in after
    assert b"34/1" not in after
    assert gps.strip_xmp(XMP.decode().encode("utf-16")) is None
    assert gps.strip_xmp(b"<exif:GPSLatitude>52,31N") is None


def test_items_of_every_format():
    packed = b"XML:com.adobe.xmp\0\1\0en\0\0" + zlib.compress(XMP)
    extension = b"http://ns.adobe.com/xmp/extension/\0" + bytes(40)
    stripped = gps.strip([
        Item(b"APP1", b"Exif\0\0" + with_gps()), Item(b"APP1", b"http://ns.adobe.com/xap/1.0/\0" + XMP), Item(b"APP2", b"ICC_PROFILE\0"),
        Item(b"APP1", extension + b"exif:G"), Item(b"APP1", extension + b"depth"),
        Item(b"eXIf", with_gps()), Item(b"EXIF", b"Exif\0\0" + with_gps()), Item(b"XMP ", XMP), Item(b"iTXt", packed),
        Item(b"zTXt", b"Raw profile type exif\0\0x"), Item(b"tEXt", b"Title\0GPS tour"), Item(b"eXIf", b"broken"),
    ])  # fmt: skip
    assert [item.key for item in stripped] == [b"APP1", b"APP1", b"APP2", b"APP1", b"APP1", b"eXIf", b"EXIF", b"XMP ", b"iTXt", b"tEXt"]
    assert not any(b"52,31" in item.body for item in stripped)
    assert gps.strip([Item(b"APP1", extension + b"exif:GPSLatitude")]) == []
    assert gps.strip([Item(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0no zlib"), Item(b"iTXt", b"XML:com.adobe.xmp\0\0")]) == []


def test_pack_strips_on_request_and_names_what_it_cannot_strip(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    photo = pictures.jpeg(pictures.photo(200, 150), segments=[(0xE1, b"Exif\0\0" + with_gps())])
    Path("a.jpg").write_bytes(photo)
    Path("b.heic").write_bytes(b"not a photograph")
    run = CliRunner().invoke
    assert run(cli.app, ["pack", "a.jpg", "b.heic", "kept.pha"]).exit_code == 0
    done = run(cli.app, ["pack", "a.jpg", "b.heic", "gone.pha", "--strip", "gps"])
    assert done.exit_code == 0
    assert "files kept bit-exact, with all that they hold: 1" in done.output
    for archive, places in (("kept.pha", 5), ("gone.pha", 0)):
        with photoarc.open(archive) as opened:
            exif = Image.open(io.BytesIO(opened.read("a.jpg"))).getexif()
        assert len(exif.get_ifd(ExifTags.IFD.GPSInfo)) == places
        assert exif[0x0112] == 6
    assert run(cli.app, ["pack", "a.jpg", "c.pha", "--strip", "gps", "--mode", "lossless"]).exit_code == 2
