"""Codec dct: JPEG files byte for byte by learned tables, or refused; thumbnails, and the efforts at which it is asked."""

import io
import zlib
from dataclasses import replace

import jpeg_kinds
import numpy as np
import pictures
import pytest
from PIL import Image

import photoarc
from photoarc import codecs, pipeline
from photoarc.cli.info import info_lines
from photoarc.codecs import composite, dct, jpeg_rest, jpegxl
from photoarc.errors import PayloadCorrupt, PayloadError
from photoarc.jobs import overview as inspection
from photoarc.jobs.pack import pack
from photoarc.models import coefficient_dc, coefficients, manifest
from photoarc.models.coefficient_tiles import TILE
from photoarc.options import CodingOptions, Mode, PackOptions
from photoarc.pictures.jpeg import scans
from photoarc.pictures.parsed import Parsed
from photoarc.progress import heard_by

THUMBNAIL = pictures.jpeg(pictures.photo(96, 64, seed=5), quality=70)
PHOTO = pictures.jpeg(pictures.photo(200, 150), segments=[(0xE1, b"Exif\0\0" + pictures.exif(6))])
WITH_THUMBNAIL = pictures.jpeg(pictures.photo(160, 120, seed=2), segments=[(0xE1, b"Exif\0\0" + pictures.exif(1) + THUMBNAIL)])
PROGRESSIVE = pictures.jpeg(pictures.photo(200, 150), progressive=True)
FILM = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 40


def grey(width, height, **options):
    out = io.BytesIO()
    Image.fromarray(pictures.photo(width, height)[..., 0]).save(out, "JPEG", **options)
    return out.getvalue()


@pytest.mark.parametrize("sampling", [0, 1, 2])
@pytest.mark.parametrize("size", [(200, 152), (97, 65), (40, 300), (300, 9)], ids=str)
def test_the_file_comes_back(size, sampling):
    data = pictures.jpeg(pictures.photo(*size), quality=85, subsampling=sampling)
    payload = dct.encode(data)
    assert len(payload) < len(data)
    assert dct.decode(payload, len(data)) == data


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (9, 9), (16, 16), (17, 8), (8, 33), (641, 7)], ids=str)
@pytest.mark.parametrize("make", [grey, lambda w, h: pictures.jpeg(pictures.photo(w, h))], ids=["grey", "colour"])
def test_odd_sizes_come_back(size, make):
    data = make(*size)
    # encode() would say that it saves too little
    payload = dct._encode(Parsed(data), dct.models.load_coefficients(manifest.JPEG_CODED_WITH))
    assert dct._decode(payload, len(data), dct.models.load_coefficients(manifest.JPEG_CODED_WITH)) == data


@pytest.mark.parametrize(
    "data",
    [
        grey(200, 150, quality=60),
        pictures.jpeg(pictures.photo(200, 150), quality=100, subsampling=0),
        pictures.jpeg(pictures.photo(200, 150), quality=4),
        pictures.jpeg(pictures.photo(200, 150), optimize=True),
        pictures.jpeg(pictures.photo(200, 150), restart_marker_blocks=3),
        pictures.jpeg(pictures.photo(200, 150), tail=b"behind the picture"),
        PROGRESSIVE,
        pictures.jpeg(pictures.photo(200, 150), progressive=True, restart_marker_rows=2, subsampling=1),
        pictures.jpeg(np.full((150, 200, 3), 77, np.uint8)),
        pictures.jpeg(np.random.default_rng(3).integers(0, 256, (64, 64, 3), np.uint8), quality=98),
    ],
    ids=["grey", "best", "worst", "optimised", "restarts", "tail", "progressive", "progressive with restarts", "flat", "noise"],
)
def test_all_kinds_come_back(data):
    payload = dct._encode(Parsed(data), dct.models.load_coefficients(manifest.JPEG_CODED_WITH))
    assert dct._decode(payload, len(data), dct.models.load_coefficients(manifest.JPEG_CODED_WITH)) == data


def test_pictures_larger_than_a_tile_come_back():
    data = pictures.jpeg(pictures.photo(8 * (TILE + 5), 8 * (2 * TILE + 3)), quality=50, subsampling=0)
    assert dct.decode(dct.encode(data), len(data)) == data


def test_how_many_places_of_dc_a_network_sees_changes_no_table(monkeypatch):
    data = pictures.jpeg(pictures.photo(400, 300))
    whole = dct.encode(data)
    monkeypatch.setattr(coefficient_dc, "_SIDE", 6)
    assert dct.encode(data) == whole


def test_progressive_is_as_small_as_sequential():
    """The same coefficients: what is left is in the head, with tables for each scan."""
    scan, plain = scans.read(PROGRESSIVE), scans.read(pictures.jpeg(pictures.photo(200, 150)))
    model = dct.models.load_coefficients(manifest.JPEG_CODED_WITH)
    packed = [len(jpeg_rest.pack(s.head + s.tail, None)) for s in (scan, plain)]
    sizes = [len(dct._encode(Parsed(data), model)) for data in (PROGRESSIVE, pictures.jpeg(pictures.photo(200, 150)))]
    assert abs((sizes[0] - packed[0]) - (sizes[1] - packed[1])) < 20
    assert dct.decode(dct.encode(PROGRESSIVE), len(PROGRESSIVE)) == PROGRESSIVE


def test_smaller_than_jpeg_xl():
    """What the networks are for; their figures are in bench/results."""
    data = [pictures.jpeg(pictures.photo(320, 240, seed=seed), quality=85) for seed in range(3)]
    assert sum(len(dct.encode(d)) for d in data) < sum(len(jpegxl.encode(d)) for d in data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        PROGRESSIVE[:-900],
        b"\xff\xd8" + bytes(999),
    ],
    ids=["empty", "cut progressive", "zeros"],
)
def test_refuses_what_it_was_not_made_for(data):
    with pytest.raises(PayloadError):
        dct.encode(data)


def test_another_model_of_the_same_number_is_an_error():
    payload = bytearray(dct.encode(PHOTO))
    payload[5] ^= 1
    with pytest.raises(PayloadError, match="another model 4"):
        dct.decode(bytes(payload), len(PHOTO))


def test_other_coefficients_are_an_error(monkeypatch):
    """What a machine whose networks gave other integers would come to."""
    payload = dct.encode(PHOTO)
    monkeypatch.setattr(dct, "_checksum", lambda _: 0)
    with pytest.raises(PayloadError, match="checksum") as caught:
        dct.decode(payload, len(PHOTO))
    assert caught.value.kind is PayloadCorrupt


def test_steps_of_16_bits_count_as_the_largest_of_8():
    data = jpeg_kinds.wide_steps(PHOTO)
    assert max(plane.quantiser.max() for plane in scans.read(data).plan.planes) == 300
    payload = dct.encode(data)
    assert len(payload) < len(data)
    assert dct.decode(payload, len(data)) == data


def test_a_picture_that_claims_to_be_enormous_is_not_decoded(monkeypatch):
    payload = dct.encode(PHOTO)
    monkeypatch.setattr(dct.segments, "plausible", lambda pixels, size_bytes: pixels > 1000 * size_bytes)
    monkeypatch.setattr(dct, "_Reader", None)  # what would come next
    with pytest.raises(PayloadError, match="claims 200 x 150 pixels") as caught:
        dct.decode(payload, len(PHOTO))
    assert caught.value.kind is PayloadCorrupt


def test_thumbnails_are_coded_as_pictures():
    rest = WITH_THUMBNAIL[: WITH_THUMBNAIL.index(THUMBNAIL) + len(THUMBNAIL)]
    plain = jpeg_rest.pack(rest, None)
    found = []
    packed = jpeg_rest.pack(rest, lambda file: found.append(file.data) or b"small")
    assert found == [THUMBNAIL]
    assert len(packed) < len(plain) - len(THUMBNAIL) / 2
    assert jpeg_rest.unpack(packed, len(rest), lambda coded, size: THUMBNAIL if coded == b"small" else b"") == rest
    assert dct.decode(dct.encode(WITH_THUMBNAIL), len(WITH_THUMBNAIL)) == WITH_THUMBNAIL
    assert len(dct.encode(WITH_THUMBNAIL)) < len(jpegxl.encode(WITH_THUMBNAIL))


def test_the_usual_tables_cost_next_to_nothing():
    head = scans.read(grey(64, 64)).head
    assert len(jpeg_rest.TABLES) == 432
    assert jpeg_rest.TABLES[:216] in head  # DC and AC of luma
    packed = jpeg_rest.pack(head, None)
    assert len(packed) < len(zlib.compress(head, 9)) - 100
    assert jpeg_rest.unpack(packed, len(head), None) == head


def exact(data, effort):
    return pipeline.encode_file(data, CodingOptions(Mode.LOSSLESS, effort=effort))


def test_effort_chooses_it():
    quick, usual = exact(PHOTO, 4), exact(PHOTO, 5)
    assert (quick.codec_id, usual.codec_id) == (codecs.JPEGXL, codecs.DCT)
    assert len(usual.payload) < len(quick.payload)


def test_what_jpeg_xl_refuses_is_coded_by_it_at_usual_efforts(monkeypatch):
    def refuse(data):
        raise PayloadError("no room for its recipe")

    monkeypatch.setattr(jpegxl, "transcode", refuse)
    assert [exact(PROGRESSIVE, effort).codec_id for effort in (2, 3, 6)] == [codecs.LZMA, codecs.DCT, codecs.DCT]


def test_a_small_file_is_left_to_lzma_where_that_is_smaller():
    plain = pictures.jpeg(np.zeros((256, 256, 3), np.uint8))
    quick, usual = exact(plain, 4), exact(plain, 5)
    assert (quick.codec_id, usual.codec_id) == (codecs.LZMA, codecs.DCT)
    assert len(usual.payload) < len(quick.payload) < len(jpegxl.transcode(plain))


def test_it_is_listed_and_its_model_is_not_forgotten(tmp_path):
    (tmp_path / "a.jpg").write_bytes(PHOTO)
    archive = tmp_path / "a.pha"
    pack([tmp_path / "a.jpg"], archive, PackOptions(CodingOptions(Mode.LOSSLESS, effort=7), workers=0))
    with photoarc.open(archive) as opened:
        assert [member.codec_id for member in opened] == [codecs.DCT]
        assert opened.read("a.jpg") == PHOTO
        overview = inspection.overview(str(archive), opened)
    assert "  models    those that dct payloads name" in info_lines(overview)
    assert any(line.startswith("  dct       1 file") for line in info_lines(overview))
    other = inspection.CodecTotal("composite", 1, 2, 1)  # may hold pictures by dct
    assert "  models    those that composite payloads name, if any" in info_lines(replace(overview, codecs=(other,)))
    both = replace(overview, codecs=(other, *overview.codecs))
    assert "  models    those that composite and dct payloads name" in info_lines(both)


@pytest.mark.parametrize("data", [PHOTO, WITH_THUMBNAIL, PROGRESSIVE], ids=["plain", "thumbnail", "progressive"])
def test_shares_are_told_as_coefficients_are_done(data):
    shares = []
    with heard_by(shares.append):
        payload = dct.encode(data)
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert len(set(shares)) > 50  # 3 planes, some 20 groups each
    shares.clear()
    with heard_by(shares.append):
        dct.decode(payload, len(data))
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_pictures_of_a_composite_are_not_coded_twice(monkeypatch):
    """What follows the first picture is nothing to a coder of one, so that the whole file is not asked once more."""
    data, shares = PHOTO + FILM, []
    monkeypatch.setattr(dct, "encode", lambda data: pytest.fail("asked again"))
    with heard_by(shares.append):
        encoded = exact(data, 7)
    assert encoded.codec_id == codecs.COMPOSITE
    assert max(shares) == 1


def test_pictures_of_a_composite_by_it():
    data = PHOTO + FILM
    quick, usual = composite.encode(data, 4), composite.encode(data)
    assert len(usual) < len(quick)
    assert composite.decode(usual, len(data)) == data


@pytest.fixture
def walks(monkeypatch):
    """How often the networks walk through a picture."""
    seen = []
    walk = coefficients.Coefficients.walk
    monkeypatch.setattr(coefficients.Coefficients, "walk", lambda self, *args, **how: (seen.append(self), walk(self, *args, **how))[1])
    monkeypatch.setattr(dct, "_trusted", set())
    return seen


def test_networks_walk_once_for_most_files_and_twice_for_the_first(walks, monkeypatch):
    monkeypatch.setattr(dct, "_ONE_IN", 1 << 32)
    payloads = [dct.encode(PHOTO) for _ in range(3)]
    assert len(walks) == 2 + 1 + 1
    assert len(set(payloads)) == 1
    monkeypatch.setattr(dct, "_ONE_IN", 1)
    assert dct.encode(PHOTO) == payloads[0]
    assert len(walks) == 6


def test_a_stream_that_gives_other_symbols_is_refused_without_a_second_walk(walks, monkeypatch):
    push = dct.Encoder.push_sorted

    def wrong(self, spans, symbols):
        changed = symbols.copy()
        changed[-1:] ^= 1
        push(self, spans, changed)

    monkeypatch.setattr(dct.Encoder, "push_sorted", wrong)
    with pytest.raises(PayloadError, match="does not come back"):
        dct.encode(PHOTO)
    assert len(walks) == 1


def test_a_head_that_does_not_come_back_is_refused(monkeypatch):
    unpack = jpeg_rest.unpack
    monkeypatch.setattr(jpeg_rest, "unpack", lambda *args: unpack(*args)[::-1])
    with pytest.raises(PayloadError, match="does not come back"):
        dct.transcode(PHOTO)
