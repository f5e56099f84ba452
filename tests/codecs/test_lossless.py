"""Codecs store, lzma and jpegxl: exact round trips, refusals, damaged payloads."""

import numpy as np
import pictures
import pytest

from photoarc.codecs import general, jpegxl, store
from photoarc.errors import PayloadError

NOISE = np.random.default_rng(1).integers(0, 256, 300_000, dtype=np.uint8).tobytes()
TEXT = b"".join(b"%d bottles of beer on the wall\n" % k for k in range(2000))
JPEG = pictures.jpeg(pictures.photo(200, 150), segments=[(0xE1, b"Exif\0\0" + pictures.exif(3))])


def test_store_returns_the_bytes_and_checks_their_number():
    assert store.decode(store.encode(NOISE), len(NOISE)) == NOISE
    with pytest.raises(PayloadError, match="had 300001"):
        store.decode(NOISE, len(NOISE) + 1)


@pytest.mark.parametrize("data", [TEXT, bytes(1), bytes(5000), bytes(3_000_000), TEXT + NOISE[:30_000]], ids=len)
def test_lzma_round_trip(data):
    if len(data) == 1:
        with pytest.raises(PayloadError, match="not compressible"):
            general.encode(data)
        return
    payload = general.encode(data)
    assert len(payload) < len(data)
    assert general.decode(payload, len(data)) == data


@pytest.mark.parametrize("data", [b"", NOISE, NOISE[:1000], NOISE[:200_000]], ids=len)
def test_lzma_refuses_what_does_not_shrink(data):
    with pytest.raises(PayloadError, match="not compressible"):
        general.encode(data)


def test_lzma_refuses_damage():
    payload = general.encode(TEXT)
    for wrong in (payload[:2], payload[:-1], payload[:100], payload + b"\0", b"\x1e" + payload[1:], b"\x0c\x55" + payload[2:]):
        with pytest.raises(PayloadError):
            general.decode(wrong, len(TEXT))
    for size in (0, len(TEXT) - 1, len(TEXT) + 1, 1 << 62):
        with pytest.raises(PayloadError):
            general.decode(payload, size)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_rows": 1}])
def test_jpegxl_restores_the_file_byte_for_byte(options):
    data = pictures.jpeg(pictures.photo(200, 150), segments=[(0xFE, b"comment")], **options)
    payload = jpegxl.encode(data)
    assert len(payload) < len(data)
    assert jpegxl.decode(payload, len(data)) == data


def test_jpegxl_grey():
    data = pictures.jpeg(pictures.photo(200, 150)[:, :, :1])
    assert jpegxl.decode(jpegxl.encode(data), len(data)) == data


@pytest.mark.parametrize("data", [b"", b"no JPEG", JPEG[:-2], JPEG[:-500], pictures.png(pictures.photo(64, 64))], ids=len)
def test_jpegxl_refuses_what_it_cannot_restore(data):
    with pytest.raises(PayloadError):
        jpegxl.encode(data)


def test_jpegxl_refuses_damage():
    payload = jpegxl.encode(JPEG)
    for wrong in (b"", payload[:10], payload[:-50], payload[: len(payload) // 2], b"\xff" + payload[1:]):
        with pytest.raises(PayloadError):
            jpegxl.decode(wrong, len(JPEG))
    with pytest.raises(PayloadError, match="holds"):
        jpegxl.decode(payload, len(JPEG) - 1)


def test_jpegxl_refuses_a_picture_too_large_for_its_file_before_decoding():
    flat = pictures.jpeg(np.zeros((600, 600, 3), np.uint8))
    payload = jpegxl.encode(flat)
    with pytest.raises(PayloadError, match="claims 600 x 600 pixels for a file of 100 bytes"):
        jpegxl.decode(payload, 100)


def test_jpegxl_refuses_a_jpeg_that_claims_too_many_pixels_before_coding(monkeypatch):
    at = JPEG.index(b"\xff\xc0") + 5
    claim = JPEG[:at] + b"\xff\xff\xff\xff" + JPEG[at + 4 :]
    monkeypatch.setattr("photoarc.pictures.libjxl.from_jpeg", lambda data: pytest.fail("was coded"))
    with pytest.raises(PayloadError, match="4,294,836,225 pixels"):
        jpegxl.encode(claim)
