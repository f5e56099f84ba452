"""JPEG marker segments: apart, back together, and everything that must be refused."""

import pictures
import pytest

from photoarc.errors import PayloadError
from photoarc.pictures.jpeg import segments as jpeg
from photoarc.pictures.jpeg import settings

PHOTO = pictures.photo(96, 80)


@pytest.mark.parametrize(
    "options",
    [{}, {"progressive": True}, {"subsampling": 0}, {"subsampling": 1}, {"restart_marker_rows": 1}, {"keep_rgb": True}],
    ids=lambda o: next(iter(o), "plain"),
)
def test_split_takes_metadata_out_and_join_puts_it_back(options):
    segments = [(jpeg.APP1, b"Exif\0\0" + pictures.exif()), (jpeg.COM, b"hello"), (jpeg.APP2 + 3, b"whatever \xff\xd9 it is")]
    data = pictures.jpeg(PHOTO, segments=segments, tail=b"", **options)
    parts = jpeg.split(data)
    own = [(s.marker, s.body) for s in parts.metadata if not jpeg.is_jfif(s) and not jpeg.is_adobe(s)]
    assert own == segments
    assert parts.tail == b""
    assert (parts.frame.width_px, parts.frame.height_px) == (96, 80)
    density = settings.of_jpeg(parts).density
    assert jpeg.join([jpeg.Segment(*s) for s in segments], parts.picture, density) == data


def test_tail_begins_after_eoi_and_thumbnails_do_not_end_the_picture():
    thumbnail = pictures.jpeg(PHOTO[::4, ::4])
    data = pictures.jpeg(PHOTO, segments=[(jpeg.APP1, b"Exif\0\0" + thumbnail)])
    assert jpeg.split(data + b"tail").tail == b"tail"
    assert jpeg.split(data).metadata[1].body.endswith(thumbnail)


@pytest.mark.parametrize("cut", [1, 2, 3, 10, 100, 700])
def test_truncated_at_the_end(cut):
    data = pictures.jpeg(PHOTO)
    with pytest.raises(PayloadError, match="truncated"):
        jpeg.split(data[:-cut])


def test_every_prefix_is_refused():
    data = pictures.jpeg(PHOTO[:64, :64], quality=30)
    for end in range(len(data)):
        with pytest.raises(PayloadError):
            jpeg.split(data[:end])


def _patched(data, marker, offset, new):
    at = data.index(bytes([0xFF, marker])) + offset
    return data[:at] + new + data[at + len(new) :]


@pytest.mark.parametrize(
    ("patch", "reason"),
    [
        ((0xC0, 1, b"\xc3"), "lossless JPEG"),
        ((0xC0, 1, b"\xc9"), "arithmetic coding"),
        ((0xC0, 1, b"\xc5"), "hierarchical JPEG"),
        ((0xC0, 4, b"\x0c"), "12 bits a channel"),
        ((0xC0, 5, b"\0\0"), "JPEG whose height is not in its header"),
        ((0xC0, 11, b"\x51"), "broken JPEG: sampling factors"),
        ((0xC0, 12, b"\x07"), "broken JPEG: quantisation table missing"),
        ((0xDB, 5, b"\0"), "broken JPEG: quantisation table"),
        ((0xDB, 2, b"\0\1"), "broken JPEG: marker out of place"),
        ((0xDB, 0, b"\0"), "broken JPEG: garbage between segments"),
        ((0xDB, 1, b"\xd3"), "broken JPEG: marker out of place"),
    ],
)
def test_refused_with_the_reason(patch, reason):
    with pytest.raises(PayloadError) as caught:
        jpeg.split(_patched(pictures.jpeg(PHOTO), *patch))
    assert str(caught.value) == reason


def test_two_frames():
    data = pictures.jpeg(PHOTO)
    at = data.index(b"\xff\xc0")
    with pytest.raises(PayloadError, match="several frames"):
        jpeg.split(data[:at] + data[at : at + 19] + data[at:])


@pytest.mark.parametrize(
    "options",
    [{}, {"progressive": True}, {"subsampling": 0}, {"keep_rgb": True}, {"dpi": (300, 300)}, {"quality": 41, "subsampling": 1}],
)
def test_settings_survive_packing_in_two_bytes(options):
    made = settings.of_jpeg(jpeg.split(pictures.jpeg(PHOTO, **options)))
    packed = settings.pack(made)
    assert len(packed) == (8 if "dpi" in options else 2)
    assert settings.unpack(packed) == made


def test_settings_with_tables_of_their_own():
    tables = [list(range(1, 65)), list(range(64, 0, -1)), [7] * 63 + [1000]]
    made = settings.of_jpeg(jpeg.split(pictures.jpeg(PHOTO, quality=-1, qtables=tables)))
    assert [list(t) for t in made.tables] == tables
    packed = settings.pack(made)
    assert settings.unpack(packed) == made
    for end in range(len(packed)):
        with pytest.raises(PayloadError):
            settings.unpack(packed[:end])
    with pytest.raises(PayloadError):
        settings.unpack(packed + b"\0")


@pytest.mark.parametrize("quality", [2, 10, 50, 75, 97])
def test_annex_k_tables_are_libjpegs(quality):
    made = settings.of_jpeg(jpeg.split(pictures.jpeg(PHOTO, quality=quality, subsampling=0)))
    assert made == settings.of_quality(quality, grey=False)


@pytest.mark.parametrize(("factors", "sampling"), [(0x11, 0), (0x12, 1), (0x41, 1), (0x14, 1), (0x42, 2), (0x44, 2), (0x22, 2), (0x21, 1)])
def test_sampling_becomes_the_nearest_that_pillow_writes(factors, sampling):
    data = pictures.jpeg(PHOTO, subsampling=1)
    at = data.index(b"\xff\xc0") + 11
    assert data[at] == 0x21
    assert settings.of_jpeg(jpeg.split(data[:at] + bytes([factors]) + data[at + 1 :])).sampling == sampling


def test_picture_without_metadata_decodes_alike():
    pyjpegxl = pytest.importorskip("pyjpegxl")
    data = pictures.jpeg(PHOTO, segments=[(jpeg.APP1, b"Exif\0\0" + pictures.exif(6)), (jpeg.APP2, b"ICC_PROFILE\0\1\2half")])
    with pytest.raises(RuntimeError, match="ICC"):
        pyjpegxl.jpeg_decode_to_numpy(data)
    bare = pyjpegxl.jpeg_decode_to_numpy(jpeg.split(data).picture)[1]
    assert (bare == pyjpegxl.jpeg_decode_to_numpy(pictures.jpeg(PHOTO))[1]).all()


def test_join_refuses_a_segment_that_is_too_long():
    with pytest.raises(PayloadError, match="does not fit"):
        jpeg.join([jpeg.Segment(jpeg.APP1, bytes(65534))], pictures.jpeg(PHOTO), None)
