"""Taking places out of photographs: nothing of them is left, everything else is, and what was dropped or kept whole is said."""

import hashlib
import io
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import lossy_files
import numpy as np
import pictures
import places
import pytest
from PIL import ExifTags, Image
from typer.testing import CliRunner

import photoarc
from photoarc import options, pipeline
from photoarc.cli import app
from photoarc.pictures.metadata import Item
from photoarc.pictures.places import exif, search, xmp
from photoarc.pictures.places import strip as gps

PHOTO = pictures.photo(200, 150)
XMP_PREFIX, EXTENDED = b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"
PACKET = places.packet("<a:City>Berlin</a:City>", 'a:GpsLongtitude="13.40495"')
SECONDS = struct.pack("<II", *places.SECONDS)
TRACES = (b"Berlin", b"13.40495", SECONDS, struct.pack(">II", *places.SECONDS), SECONDS.hex().encode())
run = CliRunner().invoke


def strip(*items):
    done = gps.strip([Item(key, body) for key, body in items])
    return [(item.key, item.body) for item in done.items], done.dropped


@pytest.mark.parametrize("prefix", [b"Exif\0\0", b"Exif\0\xff", b"Exif\0x", b"\0\0\0\0Exif\0\0", b"exif\0\0", b"EXIF\0\0"])
@pytest.mark.parametrize("endian", ["<", ">"])
def test_exif_behind_odd_prefixes(prefix, endian):
    tiff = places.exif(endian)
    for key in (b"APP1", b"eXIf", b"EXIF"):
        assert strip((key, prefix + tiff)) == ([(key, prefix + exif.strip(tiff)[0])], ())
    assert strip((b"EXIF", tiff), (b"EXIF", prefix + tiff))[0][1] == (b"EXIF", prefix + exif.strip(tiff)[0])


def test_items_that_hold_no_place_stay_as_they_are():
    depth = places.packet("<a:Data>GPSLatitudeGPSCity</a:Data>")
    kept = [
        (b"APP1", XMP_PREFIX + places.packet() + b"\0"), (b"APP1", b"Exif\0\0" + pictures.exif(6)), (b"APP2", b"ICC_PROFILE\0\1\1x"),
        (b"APPD", b"Photoshop 3.0\0" + places.resource(0x0404, places.dataset(80, b"A. Author"))), (b"COM ", b"GPS tour"),
        (b"APP0", b"JFXX\0\x10"), (b"APPC", b"Ducky\0\1"), (b"tEXt", b"Title\0GPS tour"), (b"pHYs", bytes(9)), (b"BMP ", bytes(8)),
        (b"ICCP", b"x"), (b"XMP ", depth), (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + depth),
    ]  # fmt: skip
    assert strip(*kept) == (kept, ())


def test_what_cannot_be_judged_is_dropped_and_said():
    kept, dropped = strip(
        (b"APP1", b"FLIR\0\1"), (b"APP1", b"Exif\0\0no TIFF"), (b"APP6", b"GoPro\0GPS5"), (b"APP0", b"II\x1a\0\0\0HEAPJPGM"),
        (b"aaAa", b"x"), (b"COM ", b"gps: 52.5 13.4"), (b"XMP ", b"<a:City>"), (b"APPD", b"Photoshop 3.0\0rubbish"),
        (b"zTXt", b"Title\0\0no zlib"),
        (b"iTXt", b"XML:com.adobe.xmp\0\0"), (b"APP1", EXTENDED + bytes(40)),
    )  # fmt: skip
    assert kept == []
    assert set(dropped) == {
        "a segment APP1 of a maker", exif.BROKEN, "a segment APP6 of a maker", "a segment APP0 of a maker",
        "a chunk aaAa of unknown contents", gps.COORDINATES, xmp.NO_XML, "Photoshop resources that cannot be followed",
        "a text of a PNG that cannot be read", "extended XMP that cannot be followed",
    }  # fmt: skip


def extended(packet, part_bytes):
    guid = hashlib.md5(packet).hexdigest().upper().encode()
    head = EXTENDED + guid + len(packet).to_bytes(4, "big")
    parts = [(b"APP1", head + at.to_bytes(4, "big") + packet[at : at + part_bytes]) for at in range(0, len(packet), part_bytes)]
    return [(b"APP1", XMP_PREFIX + places.packet("", f'a:HasExtendedXMP="{guid.decode()}"')), *parts]


def test_extended_xmp():
    depth = places.packet("<a:Data>" + "GPSLatitude" * 9000 + "</a:Data>")
    assert strip(*extended(depth, 40000)) == (extended(depth, 40000), ())
    parts = extended(depth, 40000)
    assert strip(parts[0], *parts[:0:-1]) == ([parts[0], *parts[:0:-1]], ())
    with_place = depth.replace(b"</rdf:D", b"<a:City>Berlin</a:City></rdf:D")
    room = 65533 - len(EXTENDED) - 40
    assert strip(*extended(with_place, room)) == (extended(depth, room), ())
    assert strip(*extended(with_place, room)[:-1]) == (extended(with_place, room)[:1], ("extended XMP that cannot be followed",))


def test_photoshop_resources_over_several_segments():
    start = b"Photoshop 3.0\0"
    whole = places.resource(0x03ED, bytes(100)) + places.resource(0x0404, places.IIM)
    kept, dropped = strip((b"APPD", start + whole[:90]), (b"COM ", b"x"), (b"APPD", start + whole[90:]))
    assert b"Berlin" not in b"".join(body for _, body in kept)
    assert b"A. Author" in b"".join(body for _, body in kept)
    assert b"".join(body[len(start) :] for key, body in kept if key == b"APPD").startswith(whole[:100])
    assert dropped == ()


def test_packed_texts_that_inflate_to_too_much_go_unjudged():
    few = [(b"zTXt", b"Title\0\0" + zlib.compress(b"word " * 100_000))] * 4
    assert strip(*few) == (few, ())
    many = [*few * 3, (b"tEXt", b"Author\0A. Author")]
    assert strip(*many) == ([(b"tEXt", b"Author\0A. Author")], (gps.TOO_LONG,))


def jpeg():
    segments = [
        (0xE1, b"Exif\0\xff" + places.exif()), (0xE1, b"Exif\0\0" + places.exif(">")), (0xE1, XMP_PREFIX + PACKET + b"\0"),
        (0xED, b"Photoshop 3.0\0" + places.resource(0x0404, places.IIM)), (0xE7, b"maker\0" + SECONDS), (0xFE, b"lat: 13.40495, lon: 52.1"),
    ]  # fmt: skip
    return pictures.jpeg(PHOTO, segments=segments)


def png():
    letters = places.exif().hex().encode()
    profile = b"Raw profile type exif\0\0" + zlib.compress(b"\nexif\n%8d\n%s\n" % (len(letters) // 2, letters))
    chunks = [
        (b"eXIf", b"Exif\0\0" + places.exif()), (b"zTXt", profile), (b"tEXt", b"exif:GPSLatitude\0" + b"13.40495"),
        (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(PACKET)), (b"tEXt", b"Author\0A. Author"),
    ]  # fmt: skip
    return pictures.png(PHOTO, chunks[:3], chunks[3:])


def webp():
    return pictures.webp(PHOTO, exif=b"Exif\0\0" + places.exif(), xmp=PACKET)


def everything(data):
    """The bytes of a file and of all that is deflated in it, so that nothing hides."""
    found = [data]
    for at in range(len(data) - 2):
        if data[at] == 0x78 and data[at + 1] in (0x01, 0x5E, 0x9C, 0xDA):
            try:
                found.append(zlib.decompressobj().decompress(data[at:], 1 << 20))
            except zlib.error:
                continue
    return b"".join(found)


@pytest.mark.parametrize("mode", ["fast", "lzma"])
def test_no_place_comes_out_of_an_archive(tmp_path, monkeypatch, mode):
    monkeypatch.chdir(tmp_path)
    for name, make in (("a.jpg", jpeg), ("b.png", png), ("c.webp", webp)):
        Path(name).write_bytes(make())
        assert any(trace in everything(make()) for trace in TRACES)
    done = run(app.app, ["pack", "a.jpg", "b.png", "c.webp", "gone.pha", "--strip", "gps", "--mode", mode, "-j", "0"])
    assert done.exit_code == 0
    for what in ("a segment APP7 of a maker", "a comment with coordinates"):
        assert f"{what} was left out, for it may hold a place, of 1 photograph: a.jpg" in done.output
    assert "STILL" not in done.output
    for way in ([], ["--as", "jpeg"], ["--as", "png"], ["--as", "webp"]):
        assert run(app.app, ["unpack", "gone.pha", "out", "-f", *way, "-j", "0"]).exit_code == 0
    written = sorted(Path("out").iterdir())
    assert {file.suffix for file in written} == {".jpg", ".png", ".webp"}
    for file in written:
        data = file.read_bytes()
        assert not [trace for trace in TRACES if trace in everything(data)], file
        assert not search.holds_place(data)
        with Image.open(io.BytesIO(data)) as picture:
            assert not picture.getexif().get_ifd(ExifTags.IFD.GPSInfo)
            assert picture.getexif()[0x0112] == 6
    if shutil.which("exiftool"):
        seen = subprocess.run(["exiftool", "-a", "-G1", "-s", "-u", "-ee", *written], capture_output=True, text=True, check=True).stdout
        assert not [line for line in seen.splitlines() if any(word in line for word in ("GPS", "City", "Country", "Latitude", "ongitude"))]
    assert b"A. Author" in Path("out/b.png").read_bytes()


@pytest.mark.parametrize("kind", lossy_files.MAKERS)
def test_no_place_comes_out_of_what_was_recoded(kind):
    held = {"exif": places.exif(orientation=1), "xmp": PACKET}
    data = lossy_files.MAKERS[kind](**held)
    coded = pipeline.encode_file(data, options.CodingOptions(strip_gps=True, recode=True, quality=50))
    assert (coded.photo is not None, coded.dropped, coded.holds_place) == (True, (), False)
    written = pipeline.decode_payload("a", coded.codec_id, coded.payload, coded.size_bytes, coded.digest)
    assert xmp.strip(PACKET)[0] in written
    assert not [trace for trace in TRACES if trace in written]
    with Image.open(io.BytesIO(written)) as picture:
        assert picture.getexif()[0x010E] == "a picture with a place"
    kept = pipeline.encode_file(data, options.CodingOptions(strip_gps=True))
    assert (kept.photo, kept.holds_place) == (None, True)


def test_files_that_are_kept_with_a_place_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("d").mkdir()
    with_place = {
        "tail.jpg": pictures.jpeg(PHOTO, segments=[(0xE1, b"Exif\0\0" + places.exif())], tail=b"a film"),
        "copy.jpg": pictures.jpeg(PHOTO, segments=[(0xE1, b"Exif\0\0" + places.exif())], tail=b"a film"),
        "iptc.jpg": pictures.jpeg(PHOTO, segments=[(0xED, b"Photoshop 3.0\0" + places.resource(0x0404, places.IIM))], tail=b"a film"),
        "side.xmp": PACKET,
        "raw.dng": places.exif(">"),
        "film.mov": b"\0\0\0\x08moov\0\0\0\x1e\xa9xyz\0\x12\x15\xc7+52.5200+013.4050/",
        "palette.png": pictures.png(PHOTO // 64 * 64, [(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(PACKET))]) + b"tail",
        "broken.xmp": b"<x:xmpmeta><photoshop:City>Berlin</x:xmpmeta>",
    }
    without = {"text.txt": b"GPS, II*\0 and MM\0* alone", "tail2.jpg": pictures.jpeg(PHOTO, tail=b"x"), "raw2.dng": pictures.exif()}
    for name, data in (with_place | without).items():
        Path("d", name).write_bytes(data)
    done = run(app.app, ["pack", "d", "kept.pha", "--strip", "gps", "-j", "0"])
    assert done.exit_code == 0
    assert "files kept bit-exact, with all that they hold: 11 (8 with a place in them)" in done.output
    assert "A PLACE IS STILL IN 8 files" in done.output
    names = [f"d/{name}" for name in with_place]
    assert sum(name in done.output for name in names) == 5
    assert "and 3 more" in done.output
    assert not any(f"d/{name}" in done.output for name in without)
    assert "gps" not in run(app.app, ["pack", "d", "b.pha", "-j", "0"]).output
    assert run(app.app, ["pack", "d", "c.pha", "--strip", "gps", "--mode", "lossless"]).exit_code == 2


def test_without_the_wish_everything_stays(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.jpg").write_bytes(jpeg())
    assert run(app.app, ["pack", "a.jpg", "kept.pha", "-j", "0"]).exit_code == 0
    with photoarc.open("kept.pha") as opened:
        held = opened.read("a.jpg")
    assert b"Exif\0\xff" + places.exif() in held
    assert PACKET + b"\0" in held
    assert np.asarray(Image.open(io.BytesIO(held))).shape == PHOTO.shape
