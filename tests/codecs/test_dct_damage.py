"""Damaged payloads of codec dct: an error with a name, or a file of the right length, whose digest the caller compares.

Coefficients have a checksum of their own, heads do not. Never a hang, and never more memory than the picture takes.
"""

import time
import tracemalloc
from contextlib import suppress

import numpy as np
import pictures
import pytest
from blake3 import blake3
from damage import check_a_changed_byte
from hypothesis import given, settings
from hypothesis import strategies as st

from photoarc import codecs, pipeline
from photoarc.codecs import dct, jpeg_rest
from photoarc.errors import MemberError, ModelError, PayloadCorrupt, PayloadError
from photoarc.pictures.jpeg import scans

THUMBNAIL = pictures.jpeg(pictures.photo(96, 64, seed=5), quality=70)
HEAD = b"Exif\0\0" + pictures.exif(1) + THUMBNAIL
DATA = pictures.jpeg(pictures.photo(160, 120, seed=2), segments=[(0xE1, HEAD)])
TILES = pictures.jpeg(np.pad(pictures.photo(200, 200, seed=4), ((0, 80), (0, 120), (0, 0))), quality=60)
PROGRESSIVE = pictures.jpeg(pictures.photo(120, 90), progressive=True)
FIELDS_AT = dct._HEADER.size  # of the picture
PLAIN_AT = FIELDS_AT + 1
MEMORY_BYTES = 64 << 20
HANGS_S = 5  # of CPU time; the slowest took 0.12


def decode(payload, size_bytes):
    """A number of another model is an error, too."""
    try:
        return dct.decode(payload, size_bytes)
    except ModelError as error:
        raise PayloadError(str(error)) from error


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damage_is_an_error_or_harmless(data):
    check_a_changed_byte(decode, dct.encode(DATA), len(DATA), data, head_bytes=80)


def test_every_truncation_is_an_error():
    payload = dct.encode(DATA)
    for end in (*range(90), *range(90, len(payload), 37)):
        with pytest.raises(PayloadError):
            dct.decode(payload[:end], len(DATA))


def mutated(payload, rng):
    """Some bits or bytes are others, a piece is cut out, doubled, moved or of nothing, long or short, or the end is cut off.

    A third of the time near the beginning, a third behind it without another length.
    """
    bad = bytearray(payload)
    where = rng.integers(3)
    low, top = (0, 90) if where == 0 else (90, len(bad)) if where == 1 else (0, len(bad))
    for _ in range(rng.integers(1, 4)):
        at, other = sorted(rng.integers(low, min(top, len(bad)), 2).tolist())
        length = int(rng.integers(1, 20 if rng.random() < 0.7 else 1 + len(bad) // 2))
        piece = bad[at : at + length]
        kind = rng.choice([0, 1, 4, 5] if where == 1 else 7)
        if kind == 0:
            bad[at] ^= 1 << rng.integers(8)
        elif kind == 1:
            bad[at : at + length] = rng.integers(0, 256, len(piece), np.uint8).tobytes()
        elif kind == 2:
            del bad[at : at + length]
        elif kind == 3:
            bad[other:other] = piece
        elif kind == 4:
            moved = bad[other : other + len(piece)]
            bad[other : other + len(piece)] = piece[: len(moved)]
            bad[at : at + len(moved)] = moved
        elif kind == 5:
            bad[at : at + length] = bytes([rng.choice([0, 255])]) * len(piece)
        else:
            del bad[max(at, 91) :]
    return bytes(bad)


def with_another_head(payload, data, rng):
    """What lies beside the scan is changed and packed anew: all lengths are right, as a stranger would write them."""
    fields = list(dct._PICTURE.unpack_from(payload, FIELDS_AT))
    scan, behind = scans.read(data), payload[FIELDS_AT + dct._PICTURE.size + fields[4] :]
    rest = bytearray(scan.head + scan.tail)
    frame = rest.rindex(b"\xff\xc2" if scan.plan.progressive else b"\xff\xc0")
    for _ in range(rng.integers(1, 4)):
        if rng.random() < 0.5:
            rest[frame + rng.integers(4, 19)] = rng.choice([0, 1, 2, 3, 8, 0x11, 0x12, 0x14, 0x22, 0x44, 255])
        elif rng.random() < 0.5:
            rest[rng.integers(len(rest))] = rng.integers(256)
        else:
            at, length = int(rng.integers(len(rest))), int(rng.integers(1, 30))
            rest[at:at] = rest[at : at + length]
    packed = jpeg_rest.pack(bytes(rest), None)
    grown = len(rest) - fields[3]
    fields[2:5] = fields[2] + grown, len(rest), len(packed)
    return payload[:FIELDS_AT] + dct._PICTURE.pack(*fields) + packed + behind


def check(data, seeds, change):
    """Each change of the payload is an error with a name or gives the very bytes, soon and with little memory."""
    payload, digest = dct.encode(data), blake3(data).digest()
    assert dct.decode(payload, len(data)) == data  # networks are loaded
    tracemalloc.start()
    try:
        for seed in seeds:
            bad, started = change(payload, np.random.default_rng(seed)), time.process_time()
            with suppress(MemberError):
                assert pipeline.decode_payload("a.jpg", codecs.DCT, bad, len(data), digest) == data, seed
            assert time.process_time() - started < HANGS_S, seed
        assert tracemalloc.get_traced_memory()[1] < MEMORY_BYTES
    finally:
        tracemalloc.stop()


DRAWN = pytest.mark.parametrize("data", [DATA, TILES, PROGRESSIVE], ids=["thumbnail", "tiles", "progressive"])


@DRAWN
def test_mutations_are_errors_or_harmless(data):
    check(data, range(60), mutated)


@DRAWN
def test_heads_of_strangers_are_errors_or_harmless(data):
    check(data, range(60), lambda payload, rng: with_another_head(payload, data, rng))


@pytest.mark.slow
@DRAWN
def test_thousands_of_mutations_are_errors_or_harmless(data):
    check(data, range(60, 1060), mutated)
    check(data, range(60, 1060), lambda payload, rng: with_another_head(payload, data, rng))


def plain_of(data):
    """A payload, where its tops and active groups are, and how many bytes they take."""
    payload = dct.encode(data)
    _, size, _, _, packed, _, _ = dct._PICTURE.unpack_from(payload, FIELDS_AT)
    return bytearray(payload), FIELDS_AT + dct._PICTURE.size + packed, size


def test_active_groups_that_are_not_the_pictures():
    payload, start, size = plain_of(TILES)
    tops, tiles = 2 * 2 * 2, 4  # of luma: 35 x 40 blocks
    at = start + tops
    assert size > tops + tiles // 2
    active = [payload[at + k // 2] >> 4 * (k % 2) & 15 for k in range(tiles)]
    assert 0 < max(active) <= 9
    assert len(set(active)) > 1
    for wrong in (10, 15):
        bad = bytearray(payload)
        bad[at] = bad[at] & 0xF0 | wrong
        with pytest.raises(PayloadError, match="more active groups") as caught:
            dct.decode(bytes(bad), len(TILES))
        assert caught.value.kind is PayloadCorrupt
    for other in set(range(10)) - {active[0]}:
        bad = bytearray(payload)
        bad[at] = bad[at] & 0xF0 | other
        with pytest.raises(PayloadError):
            dct.decode(bytes(bad), len(TILES))


@pytest.mark.parametrize(("change", "message"), [(-1, "not all there"), (1, "more outside the stream")])
def test_too_little_or_too_much_outside_of_the_stream(change, message):
    payload, start, size = plain_of(DATA)
    payload[start + min(size, size + change) : start + size] = bytes(max(change, 0))
    payload[PLAIN_AT : PLAIN_AT + 2] = (size + change).to_bytes(2, "little")
    with pytest.raises(PayloadError, match=message):
        dct.decode(bytes(payload), len(DATA))


def test_half_a_byte_that_is_of_no_tile():
    payload, start, _ = plain_of(DATA)
    tops = 2 * 1 * 2  # of luma: 16 x 20 blocks, one tile
    payload[start + tops] |= 0x10
    with pytest.raises(PayloadError, match="of no tile"):
        dct.decode(bytes(payload), len(DATA))
