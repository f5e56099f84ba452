"""Two builds of libjxl: what pyjpegxl writes, imagecodecs reads, and the other way round; where both or one of them is missing."""

import io
import sys
from pathlib import Path

import numpy as np
import pictures
import pytest
from PIL import Image

from photoarc import archive, codecs
from photoarc.codecs import jpegxl, samples
from photoarc.errors import PayloadError
from photoarc.pictures import image, jxl, libjxl
from photoarc.pictures.jpeg import pixels as jpeg_pixels
from photoarc.pictures.parsed import Parsed

PHOTO = pictures.photo(160, 128)
GOLDEN = Path(__file__).parents[1] / "golden/unreleased"
SHAPES = [(70, 64, 1), (65, 90, 2), (88, 120, 3), (64, 64, 4)]


@pytest.fixture
def second(monkeypatch):
    """pyjpegxl is missing."""
    pytest.importorskip("imagecodecs")
    monkeypatch.setitem(sys.modules, "pyjpegxl", None)


def drawn(shape, dtype):
    return np.random.default_rng(3).integers(0, np.iinfo(dtype).max, shape, endpoint=True).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", SHAPES)
def test_samples_both_ways(shape, dtype, monkeypatch):
    pytest.importorskip("imagecodecs")
    wanted = drawn(shape, dtype)
    one = samples.encode(wanted, libjxl.USUAL)
    monkeypatch.setitem(sys.modules, "pyjpegxl", None)
    assert np.array_equal(samples.decode(one, shape, wanted.itemsize), wanted)
    other = samples.encode(wanted, libjxl.FAST)
    assert np.array_equal(samples.decode(other, shape, wanted.itemsize), wanted)
    monkeypatch.undo()
    assert np.array_equal(samples.decode(other, shape, wanted.itemsize), wanted)


@pytest.mark.parametrize("progressive", [False, True])
def test_jpegs_both_ways(progressive, monkeypatch):
    pytest.importorskip("imagecodecs")
    data = pictures.jpeg(PHOTO, progressive=progressive)
    one = jpegxl.transcode(data)
    monkeypatch.setitem(sys.modules, "pyjpegxl", None)
    other = jpegxl.encode(data)
    assert jpegxl.decode(one, len(data)) == data
    monkeypatch.undo()
    assert jpegxl.decode(other, len(data)) == data


@pytest.mark.usefixtures("second")
def test_the_golden_archives_by_the_second_build():
    seen = set()
    for name in ("lossless.pha", "lzma.pha"):
        with archive.open_archive(GOLDEN / name) as golden:
            coded = [m for m in golden if m.codec_id in (codecs.JPEGXL, codecs.PNG, codecs.RASTER, codecs.TIFF)]
            for member in coded:
                golden.read(member.name)  # compared with its BLAKE3
            seen |= {m.codec_id for m in coded}
    assert seen >= {codecs.JPEGXL, codecs.PNG}


@pytest.mark.usefixtures("second")
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"grey": True}])
def test_pixels_of_a_jpeg_by_pillow(options):
    grey = options.pop("grey", False)
    data = pictures.jpeg(PHOTO[:, :, 0] if grey else PHOTO, **options)
    with Image.open(io.BytesIO(data)) as wanted:
        assert np.array_equal(image.photograph(data).pixels.squeeze(), np.asarray(wanted))


@pytest.mark.usefixtures("second")
@pytest.mark.parametrize("cut", [0.5, 0.9])
def test_a_damaged_jpeg_is_no_photograph_for_pillow_either(cut):
    data = pictures.jpeg(PHOTO)
    data = data[: int(len(data) * cut)] + data[-2:]  # libjpeg fills the rest with grey and only warns
    with pytest.raises(PayloadError):
        jpeg_pixels.decode_into(Parsed(bytes(data)), np.empty_like(PHOTO))


def test_without_any_libjxl_a_jpeg_is_refused(monkeypatch):
    for name in ("pyjpegxl", "imagecodecs"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(PayloadError, match="pip install pyjpegxl"):
        jpegxl.encode(pictures.jpeg(PHOTO))


@pytest.mark.parametrize("shape", [(64, 64, 3), (8, 16, 3), (300, 400, 3), (45, 80, 1), (1000, 70, 3), (8, 256, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_size_of_a_codestream(shape, dtype):
    coded = libjxl.encode(np.zeros(shape, dtype), libjxl.FAST)
    assert jxl.size_px(coded) == (shape[1], shape[0])


@pytest.mark.parametrize("data", [b"", b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n", b"\0\0\0\x18jxlc\xff\x0a"])
def test_no_size_of_what_is_cut(data):
    with pytest.raises(PayloadError):
        jxl.size_px(data)
