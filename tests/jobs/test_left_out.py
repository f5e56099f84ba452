"""What of a lossy photograph's file does not come back is said; what can come back does."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pictures
import pytest
from typer.testing import CliRunner

from photoarc.cli import app
from photoarc.pictures import image
from photoarc.pictures.jpeg import segments

PHOTO = pictures.photo(200, 150)
ADOBE = b"Adobe\0\x64\0\0\0\0"
run = CliRunner().invoke


def adam7():
    """An interlaced PNG file."""
    rows = []
    for top, left, down, right in ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)):
        rows += [b"\0" + row.tobytes() for row in PHOTO[top::down, left::right]]
    header = struct.pack(">IIBBBBB", 200, 150, 8, 2, 0, 0, 1)
    data = pictures.chunk(b"IDAT", zlib.compress(b"".join(rows)))
    return b"\x89PNG\r\n\x1a\n" + pictures.chunk(b"IHDR", header) + data + pictures.chunk(b"IEND", b"")


def bmp_v5():
    """A BMP file with a header of 124 bytes."""
    plain = pictures.bmp(PHOTO)
    header = (124).to_bytes(4, "little") + plain[18:54] + bytes(16) + b"BGRs" + bytes(64)
    return plain[:2] + (len(plain) + 84).to_bytes(4, "little") + bytes(4) + (138).to_bytes(4, "little") + header + plain[54:]


def test_what_does_not_come_back_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("d").mkdir()
    files = {"a.png": adam7(), "copy.png": adam7(), "b.bmp": bmp_v5(), "c.png": pictures.png(PHOTO, [(b"sPLT", b"x\0\x08" + bytes(6))])}
    for name, data in (files | {"e.jpg": pictures.jpeg(PHOTO), "f.png": pictures.png(PHOTO)}).items():
        Path("d", name).write_bytes(data)
        assert (image.photograph(data).pixels == PHOTO).all() or name == "e.jpg"
    done = run(app.app, ["pack", "d", "a.pha", "-j", "0"])
    assert "will not come back: 2 interlacing of PNG, 1 long headers of BMP, 1 suggested palettes of PNG" in done.output
    assert "will not" not in run(app.app, ["pack", "d/e.jpg", "d/f.png", "b.pha", "-j", "0"]).output


@pytest.mark.parametrize("grey", [False, True])
def test_adobe_s_segment_comes_back(grey: bool) -> None:
    pixels = PHOTO[:, :, 1] if grey else PHOTO
    data = pictures.jpeg(pixels, segments=[(0xEE, ADOBE + bytes([not grey]))])
    assert data[2:4] == b"\xff\xe0"
    photo = image.photograph(data)
    written = image.write(photo)
    assert [s.body for s in segments.split(written).metadata if s.marker == segments.APP14] == [ADOBE + bytes([not grey])]
    again = image.photograph(written)
    assert np.abs(again.pixels.astype(int) - photo.pixels).max() <= 8
    assert again.metadata == photo.metadata


def test_adobe_s_segment_of_rgb_is_written_once() -> None:
    data = pictures.jpeg(PHOTO, keep_rgb=True)
    written = image.write(image.photograph(data))
    assert [s.body[11] for s in segments.split(written).metadata if s.marker == segments.APP14] == [0]
