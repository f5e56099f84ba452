"""What an item costs, told from a few bytes of it."""

from __future__ import annotations

import io
import random

import pytest
from PIL import Image

from photoarc import codecs, pipeline
from photoarc.codecs import costs
from photoarc.options import CodingOptions, Mode
from photoarc.pictures.size import PictureSize, picture_size

KINDS = [
    ("JPEG", {}, "jpeg", False),
    ("JPEG", {"progressive": True, "exif": b"Exif\0\0" + bytes(40_000)}, "jpeg", True),
    ("PNG", {}, "png", False),
    ("WEBP", {}, "webp", False),
    ("WEBP", {"lossless": True}, "webp", False),
    ("WEBP", {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"}, "webp", False),
    ("BMP", {}, "bmp", False),
    ("TIFF", {}, "tiff", False),
    ("TIFF", {"compression": "tiff_lzw"}, "tiff", True),
    ("PPM", {}, "pnm", False),
    ("AVIF", {}, "heif", False),
]


def coded(format: str, options: dict[str, object]) -> bytes:
    file = io.BytesIO()
    Image.effect_noise((120, 90), 50).convert("RGB").save(file, format, **options)
    return file.getvalue()


@pytest.mark.parametrize(("format", "options", "kind", "again"), KINDS)
def test_the_size_of_a_picture_stands_in_its_header(format: str, options: dict[str, object], kind: str, again: bool) -> None:
    found = picture_size(io.BytesIO(coded(format, options)))
    assert found is not None
    assert (found.kind, found.width_px, found.height_px, found.again) == (kind, 120, 90, again)


@pytest.mark.parametrize("shape", [(64, 64), (90, 120), (777, 1000), (2000, 3000)])
def test_the_size_of_a_jpeg_xl_file(shape: tuple[int, int]) -> None:
    pyjpegxl = pytest.importorskip("pyjpegxl")
    import numpy as np

    data = bytes(pyjpegxl.encode_from_numpy(np.zeros((*shape, 3), np.uint8), lossless=True, speed=pyjpegxl.EncoderSpeed.Thunder))
    found = picture_size(io.BytesIO(data))
    assert found is not None
    assert (found.height_px, found.width_px) == shape


def test_damaged_headers_are_no_headers() -> None:
    whole = [coded(format, options) for format, options, _, _ in KINDS]
    die = random.Random(1)
    for _ in range(1500):
        data = bytearray(die.choice(whole)[:600])
        for _ in range(3):
            data[die.randrange(80)] = die.randrange(256)
        picture_size(io.BytesIO(data[: die.randrange(len(data))]))  # raises nothing
    assert picture_size(io.BytesIO(b"")) is None
    assert picture_size(io.BytesIO(b"plain text, more than a few bytes of it")) is None


def test_costs_grow_with_pixels_not_with_bytes() -> None:
    small, large = (PictureSize("jpeg", side, side, 3) for side in (1000, 7000))
    for lossy in (True, False):
        ahead, behind = (costs.to_pack(4_000_000, picture, lossy=lossy, effort=1) for picture in (small, large))
        assert behind.memory_bytes > ahead.memory_bytes + (300 << 20)
        assert behind.seconds > 5 * ahead.seconds
    assert costs.to_unpack(codecs.LEARNED, 4_000_000, 2_000_000, 49_000_000).seconds > 5


def test_a_claim_that_no_file_can_keep_is_not_believed() -> None:
    liar = PictureSize("png", 1 << 31, 1 << 31, 4)
    assert costs.to_pack(200, liar, lossy=True, effort=5).memory_bytes < 1 << 30


def test_a_png_that_its_codec_refuses_costs_what_lzma_does() -> None:
    from photoarc.codecs import png

    assert costs.MAX_RETRACED_BYTES == png.MAX_RAW_BYTES
    for pixel_bytes in (1, 3, 4, 8):
        for side, taken in ((2800, True), (24_000, False)):
            picture = PictureSize("png", side, side, pixel_bytes)
            found = costs.to_pack(50_000_000, picture, lossy=False, effort=5)
            assert (found == costs.general(50_000_000)) is not taken
    one_bit = PictureSize("png", 20_000, 20_000, 1)
    assert costs.to_pack(50_000_000, one_bit, lossy=False, effort=5) != costs.general(50_000_000)


def test_jpeg_networks_are_foreseen_for_what_they_take() -> None:
    """Their codec refuses the largest; the rest needs no less memory, and longer by far, than JPEG XL."""
    from photoarc.pictures.jpeg.scans import MAX_COEFFICIENTS

    assert costs.MAX_NETWORKS_PIXELS == MAX_COEFFICIENTS * 2 // 3
    for side_px, taken in ((1000, True), (3400, True), (5100, True), (11_500, True), (11_600, False), (14_000, False)):
        picture = PictureSize("jpeg", side_px, side_px, 3)
        quick, slow = (costs.to_pack(side_px**2 // 6, picture, lossy=False, effort=effort) for effort in (1, 5))
        assert (slow != quick) is taken
        assert slow.memory_bytes >= quick.memory_bytes
        assert slow.seconds > 3 * quick.seconds or not taken


def test_time_for_a_jpeg_is_there_however_few_bytes_it_has() -> None:
    """A flat one of 12 megapixels has 0.19 MB: networks leave out what is empty, and LZMA leaves far more of it than they do."""
    picture = PictureSize("jpeg", 4243, 2828, 3)
    for size_bytes in (188_956, 421_407, 1_952_863):
        assert costs.worth(costs.to_pack(size_bytes, picture, lossy=False, effort=5).seconds, size_bytes)


def test_a_large_drawing_in_a_png_is_foreseen_as_such_where_photographs_are_lossy() -> None:
    picture = PictureSize("png", 4000, 3000, 3)
    exact, lossy = (costs.to_pack(20_000_000, picture, lossy=lossy, effort=5) for lossy in (False, True))
    assert lossy.memory_bytes >= exact.memory_bytes


def flat_png(side: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (side, side), (200, 30, 90)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("mode", ["lossless", "fast"])
def test_a_flat_picture_of_few_bytes_is_not_taken_apart(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """1,500 x 1,500 pixels in 9 kB took 5 s and 0.4 GB to be 1 kB: LZMA leaves a fifth of that at once."""
    from photoarc.codecs import png
    from photoarc.pictures import image

    monkeypatch.setattr(png, "encode", lambda *_, **__: pytest.fail("the dear way was taken"))
    monkeypatch.setattr(image, "photograph", lambda *_, **__: pytest.fail("the pixels were decoded"))
    data = flat_png(1500)
    found = pipeline.encode_file(data, CodingOptions(Mode(mode)))
    assert found.codec_id == codecs.LZMA
    assert len(found.payload) < len(data) / 20
    assert pipeline.decode_payload("x", found.codec_id, found.payload, found.size_bytes, found.digest) == data


def test_pictures_with_something_to_win_are_still_taken_apart() -> None:
    file = io.BytesIO()
    Image.effect_noise((200, 150), 20).convert("RGB").save(file, "PNG")
    assert pipeline.encode_file(file.getvalue(), CodingOptions(Mode.LOSSLESS)).codec_id == codecs.PNG


def test_pixels_that_do_not_shrink_are_found_out_before_the_stream_is_retraced(monkeypatch: pytest.MonkeyPatch) -> None:
    from photoarc.codecs import png
    from photoarc.codecs.zlib_streams import recipe
    from photoarc.errors import PayloadError

    monkeypatch.setattr(recipe, "find", lambda *_: pytest.fail("the stream was retraced"))
    noise = Image.frombytes("RGB", (150, 100), random.Random(2).randbytes(45_000))
    file = io.BytesIO()
    noise.save(file, "PNG")
    with pytest.raises(PayloadError, match="do not become smaller"):
        png.encode(file.getvalue())


def test_comparing_takes_what_decoding_does_or_two_pictures() -> None:
    small, large = (costs.to_unpack(codecs.LEARNED, 4_000_000, 1_000_000, pixels) for pixels in (1_000_000, 100_000_000))
    assert costs.to_compare(small, 0, 1_000_000) == small
    assert costs.to_compare(small, 3_000_000, 1_000_000).memory_bytes == small.memory_bytes + 6_000_000
    assert costs.to_compare(large, 0, 100_000_000).memory_bytes > large.memory_bytes
