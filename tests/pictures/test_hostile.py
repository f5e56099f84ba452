"""Lengths that lie: our own parsers end at once, whatever sizes a file claims; decoders that nobody asked for are not asked."""

import io
import re
import struct
from pathlib import Path

import pictures
import pytest
from PIL import Image

import photoarc
from photoarc.errors import PayloadError
from photoarc.pictures import heif, jxl, pillow, tiff, webp
from photoarc.pictures.boxes import boxes
from photoarc.pictures.jpeg import segments

SIZES = (0, 1, 2, 7, 8, 9, 15, 16, 17, 2**31, 2**32 - 1, 2**63, 2**64 - 1)


def box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), name) + body


@pytest.mark.parametrize("size", SIZES)
def test_every_step_over_boxes_goes_forward(size: int) -> None:
    heads = [struct.pack(">I4s", size, b"free")] if size < 2**32 else []
    heads.append(struct.pack(">I4sQ", 1, b"jxlp", size))
    for head in heads:
        for tail in (b"", b"x" * 3, b"x" * 16, head * 3):
            found, at = 0, 0
            try:
                for _, start, end in boxes(head + tail, "file"):
                    assert at < start <= end <= len(head + tail)
                    at, found = end, found + 1
            except PayloadError:
                continue
            assert found <= 4
    container = b"\0\0\0\x0cJXL \r\n\x87\n" + heads[-1] + b"x" * 20
    for check in (jxl.check, heif.split):
        with pytest.raises(PayloadError):
            check(container)


def pictures_that_refer(count: int) -> bytes:
    """A HEIF file of so many items, all tiles of the first."""
    items = b"".join(box(b"infe", b"\2\0\0\0" + struct.pack(">HH", k, 0) + b"hvc1\0") for k in range(1, count))
    tiles = struct.pack(f">HH{count - 2}H", 1, count - 2, *range(2, count))
    meta = box(b"pitm", b"\0\0\0\0\0\1") + box(b"iinf", b"\0\0\0\0" + struct.pack(">H", count - 1) + items)
    meta += box(b"iref", b"\0\0\0\0" + box(b"dimg", tiles)) + box(b"iprp", box(b"ipco", b"") + box(b"ipma", bytes(8)))
    return box(b"ftyp", b"heic\0\0\0\0") + box(b"meta", b"\0\0\0\0" + meta)


def directory(entries: int, count: int, tag: int | None = None) -> bytes:
    rows = b"".join(struct.pack("<HHII", 256 + k if tag is None else tag, 4, count, 8) for k in range(entries))
    return b"II*\0" + struct.pack("<IH", 8, entries) + rows


def test_many_items_take_time_as_they_are_many() -> None:
    assert heif.split(pictures_that_refer(65_000)).width_px == 0  # by squares this took minutes


def test_fill_bytes_are_passed_once() -> None:
    before = re.compile(rb"\xff+[\x01-\xcf\xd8-\xfe]")
    for text in (b"a\xff\xff\xd9", b"\xff\x00\xff\xff\xff\x00\xff\xd0\xff\xff\xc4", b"\xff\xff", b"\xff\xd0\xff\xff\xd0", b""):
        old, new = before.search(text), segments._AFTER_SCAN.search(text)
        assert (old and old.span()) == (new and new.span())
    assert segments._AFTER_SCAN.search(b"a" + b"\xff" * 2_000_000) is None  # by squares this took hours


def test_tags_without_end_are_not_read() -> None:
    assert tiff.first_directory(directory(200, 1 << 20), "little") == {}
    assert tiff.first_directory(directory(200, 2**32 - 1), "little") == {}
    assert tiff.orientation(directory(200, 1 << 20)) == 1
    once = directory(3, 10, tiff.OFFSETS)
    assert {tag: len(values) for tag, values in tiff.first_directory(once, "little").items()} == {tiff.OFFSETS: 10}
    assert tiff.first_directory(directory(1, 17, tiff.BITS), "little") == {}


def test_chunks_of_webp_with_lengths_that_lie() -> None:
    for size in (0, 1, 2**31, 2**32 - 1):
        body = b"WEBP" + b"EXIF" + struct.pack("<I", size) + b"xx"
        with pytest.raises(PayloadError):
            webp.split(b"RIFF" + struct.pack("<I", len(body)) + body)


@pytest.mark.parametrize("name", ["PCX", "TGA", "EPS", "ICO", "SGI", "ICNS"])
def test_only_formats_of_photographs_are_opened(name: str) -> None:
    file = io.BytesIO()
    pictures.image(pictures.photo(80, 80)).save(file, name)
    with pytest.raises(PayloadError):
        pillow.open_picture(file.getvalue())


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM"])
def test_formats_of_photographs_are(name: str) -> None:
    file = io.BytesIO()
    pictures.image(pictures.photo(80, 80)).save(file, name)
    assert pillow.open_picture(file.getvalue()).size == (80, 80)


def test_every_open_names_its_formats() -> None:
    root = Path(photoarc.__file__).parent.parent
    for folder in ("photoarc", "bench", "training"):
        for path in (root / folder).rglob("*.py"):
            for line in path.read_text().splitlines():
                assert "Image.open(" not in line or "formats=" in line, (path, line)
    assert Image.open
