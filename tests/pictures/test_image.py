"""Which files are taken as photographs, and that what is written back is the same picture with the same metadata."""

import dataclasses
import io
import zlib

import numpy as np
import pictures
import pytest
from PIL import Image

from photoarc.errors import LimitExceeded, PayloadError
from photoarc.member import SourceFormat
from photoarc.pictures import image, metadata, pillow, png, webp, writers
from photoarc.pictures.jpeg import segments as jpeg
from photoarc.pictures.jpeg import settings as jpeg_settings

WIDTH, HEIGHT = 200, 150
PHOTO = pictures.photo(WIDTH, HEIGHT)
ALPHA = pictures.photo(WIDTH, HEIGHT, 9)[:, :, 0]
EXIF, XMP, ICC = pictures.exif(6), pictures.XMP, pictures.icc()
SEGMENTS = [
    (jpeg.APP1, b"Exif\0\0" + EXIF),
    (jpeg.APP1, b"http://ns.adobe.com/xap/1.0/\0" + XMP),
    (jpeg.APP1, b"http://ns.adobe.com/xmp/extension/\0" + bytes(40) + b"more"),
    (jpeg.APP2, b"ICC_PROFILE\0\1\2" + ICC[:300]),
    (jpeg.APP2, b"ICC_PROFILE\0\2\2" + ICC[300:]),
    (jpeg.APP13, b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\0"),
    (jpeg.COM, b"a comment"),
]


def taken(data):
    photo = image.photograph(data)
    assert isinstance(photo, image.Photograph), photo
    return photo


def psnr_db(a, b):
    error = np.mean((a.astype(np.float64) - b) ** 2)
    return float("inf") if error == 0 else 10 * np.log10(255**2 / error)


@pytest.mark.parametrize("grey", [False, True], ids=["colour", "grey"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"subsampling": 1}], ids=lambda o: next(iter(o), "420"))
def test_jpeg_comes_back_alike(options, grey):
    pixels = PHOTO[:, :, :1] if grey else PHOTO
    data = pictures.jpeg(pixels, quality=85, segments=SEGMENTS, **options)
    photo = taken(data)
    assert photo.source_format is SourceFormat.JPEG
    assert photo.alpha is None
    assert photo.pixels.shape == (HEIGHT, WIDTH, 1 if grey else 3)
    with Image.open(io.BytesIO(data)) as picture:
        assert (np.asarray(picture).reshape(photo.pixels.shape) == photo.pixels).all()
    again = taken(image.write(photo))
    assert psnr_db(again.pixels, photo.pixels) > 48  # the source's own tables
    assert (again.metadata, again.writer) == (photo.metadata, photo.writer)
    segments = [(s.marker, s.body) for s in jpeg.split(image.write(photo)).metadata if not jpeg.is_jfif(s)]
    assert segments == SEGMENTS


def test_rgb_jpeg_and_density_come_back():
    photo = taken(pictures.jpeg(PHOTO, keep_rgb=True))
    assert psnr_db(taken(image.write(photo)).pixels, photo.pixels) > 48
    photo = taken(pictures.jpeg(PHOTO, dpi=(240, 240)))
    with Image.open(io.BytesIO(image.write(photo))) as picture:
        assert picture.info["dpi"] == (240, 240)


def test_progressive_noise_that_overflows_pillows_buffer_is_written_baseline(capfd):
    noise = np.random.default_rng(0).integers(0, 256, (700, 900, 3), dtype=np.uint8)
    settings = dataclasses.replace(jpeg_settings.of_quality(100, grey=False), progressive=True)
    data = image.write(image.Photograph(noise, None, SourceFormat.JPEG, b"", jpeg_settings.pack(settings)))
    with Image.open(io.BytesIO(data)) as picture:  # `photograph` does not take noise
        assert psnr_db(np.asarray(picture), noise) > 45
    capfd.readouterr()  # libjpeg's "Suspension not allowed here"


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_comes_back_exactly(channels):
    pixels = {1: PHOTO[:, :, 0], 2: np.dstack((PHOTO[:, :, 0], ALPHA)), 3: PHOTO, 4: np.dstack((PHOTO, ALPHA))}[channels]
    before = [(b"gAMA", b"\0\0\xb1\x8f"), (b"pHYs", bytes(9))]
    photo = taken(pictures.png(pixels, before=before, after=[(b"eXIf", EXIF)]))
    assert photo.source_format is SourceFormat.PNG
    assert (photo.alpha is not None) == (channels in (2, 4))
    again = taken(image.write(photo))
    assert (again.pixels == photo.pixels).all()
    assert photo.alpha is None or ((photo.alpha == ALPHA).all() and (again.alpha == ALPHA).all())
    assert again.metadata == photo.metadata


@pytest.mark.parametrize("with_alpha", [False, True])
def test_webp_comes_back_exactly(with_alpha):
    pixels = np.dstack((PHOTO, np.maximum(ALPHA, 1))) if with_alpha else PHOTO
    photo = taken(pictures.webp(pixels, exif=EXIF, xmp=XMP, icc_profile=ICC))
    assert photo.source_format is SourceFormat.WEBP
    written = image.write(photo)
    again = taken(written)
    assert (again.pixels == PHOTO).all()
    assert again.metadata == photo.metadata
    assert {i.key: i.body for i in webp.split(written).metadata} == {b"EXIF": EXIF, b"XMP ": XMP, b"ICCP": ICC}
    assert not with_alpha or (again.alpha == np.maximum(ALPHA, 1)).all()


def test_large_jpegs_are_written_without_all_their_coefficients_in_memory(monkeypatch):
    photo = taken(pictures.jpeg(PHOTO))
    small = image.write(photo)
    monkeypatch.setattr(writers, "OPTIMISED_PX", PHOTO.shape[0] * PHOTO.shape[1] - 1)
    assert len(small) < len(image.write(photo))
    assert (taken(small).pixels == taken(image.write(photo)).pixels).all()


def test_webp_keeps_colours_under_full_transparency():
    photo = taken(pictures.webp(np.dstack((PHOTO, np.where(ALPHA > 128, ALPHA, 0))), exact=True))
    assert (photo.alpha == 0).any()
    for quick in (False, True):
        again = taken(image.write(photo, quick=quick))
        assert (again.pixels == photo.pixels).all()
        assert (again.alpha == photo.alpha).all()


@pytest.mark.parametrize("make", [pictures.png, pictures.jpeg, pictures.webp, pictures.progressive_jpeg, pictures.bmp])
def test_the_quick_file_shows_the_same_picture_and_is_no_smaller(make):
    photo = taken(make(PHOTO))
    slow, quick = image.write(photo), image.write(photo, quick=True)
    assert len(slow) <= len(quick)
    assert (taken(slow).pixels == taken(quick).pixels).all()
    assert taken(slow).metadata == taken(quick).metadata


@pytest.mark.parametrize("width", [WIDTH, WIDTH - 1, WIDTH - 2])
def test_bmp_comes_back_exactly(width):
    data = pictures.bmp(PHOTO[:, :width], dpi=(150, 150))
    photo = taken(data)
    assert (photo.pixels == PHOTO[:, :width]).all()
    assert image.write(photo) == data


@pytest.mark.parametrize("target", ["jpeg", "png", "webp"])
@pytest.mark.parametrize("source", ["jpeg", "png", "webp", "bmp"])
def test_conversion_carries_exif_xmp_and_icc(source, target):
    itxt = b"XML:com.adobe.xmp\0\0\0\0\0" + XMP
    data = {
        "jpeg": lambda: pictures.jpeg(PHOTO, quality=98, subsampling=0, segments=SEGMENTS),
        "png": lambda: pictures.png(PHOTO, before=[(b"iCCP", b"p\0\0" + zlib.compress(ICC)), (b"eXIf", EXIF), (b"iTXt", itxt)]),
        "webp": lambda: pictures.webp(PHOTO, exif=EXIF, xmp=XMP, icc_profile=ICC),
        "bmp": lambda: pictures.bmp(PHOTO),
    }[source]()
    written = image.write(taken(data), target)
    again = taken(written)
    assert psnr_db(again.pixels, taken(data).pixels) > (40 if target == "jpeg" else 200)
    with Image.open(io.BytesIO(written)) as picture:
        assert picture.format == target.upper()
        if source == "bmp":
            assert not {"exif", "icc_profile", "xmp"} & set(picture.info)
            return
        assert picture.getexif()[0x0112] == 6
        assert picture.info["icc_profile"] == ICC
        assert picture.info.get("xmp") == XMP or picture.text["XML:com.adobe.xmp"].encode() == XMP


def test_long_profile_is_cut_into_jpeg_segments():
    profile = pictures.icc(150_000)
    photo = taken(pictures.webp(PHOTO, icc_profile=profile))
    with Image.open(io.BytesIO(image.write(photo, "jpeg"))) as picture:
        assert picture.info["icc_profile"] == profile


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a photograph format"),
        (b"GIF89a" + bytes(100), "not a photograph format"),
        (pictures.jpeg(PHOTO, tail=b"\0"), "data after the end of the picture"),
        (pictures.jpeg(PHOTO, segments=[(jpeg.APP2, b"MPF\0rest")]), "several pictures in one file (MPF)"),
        (pictures.jpeg(PHOTO, segments=[(jpeg.APP11, b"JP\0\1rest")]), "JPEG XT layers or content credentials"),
        (pictures.jpeg(PHOTO)[:-300], "truncated JPEG"),
        (pictures.jpeg(PHOTO[:63]), "tiny"),
        (pictures.jpeg(PHOTO[:100, :100]), "tiny"),
        (pictures.png(PHOTO[:, :60]), "tiny"),
        (pictures.webp(PHOTO, lossless=False), "lossy WebP"),
        (pictures.webp(PHOTO) + b"\0\0", "data after the end of the picture"),
        (pictures.webp(PHOTO)[:-9], "truncated WebP"),
        (pictures.bmp(PHOTO) + b"\0\0", "data after the end of the picture"),
        (pictures.bmp(PHOTO)[:-1], "truncated BMP"),
        (pictures.png(pictures.screenshot(640, 400)), "graphics: exact edges and flat areas"),
        (pictures.bmp(pictures.screenshot(640, 400)), "graphics: exact edges and flat areas"),
        (pictures.webp(pictures.screenshot(640, 400)), "graphics: exact edges and flat areas"),
        (pictures.png(pictures.screenshot(640, 400)[:, :, 0]), "graphics: exact edges and flat areas"),
        (pictures.png(pictures.photo(WIDTH, HEIGHT, noise=50) // 128 * 128), "graphics: "),
        (pictures.cmyk_jpeg(PHOTO), "CMYK"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_kept_bit_exact_with_the_reason(data, reason):
    found = image.photograph(data)
    assert isinstance(found, str)
    assert found.startswith(reason)


def test_animated_webp():
    file = io.BytesIO()
    frames = [pictures.image(pictures.photo(80, 80, k)) for k in range(2)]
    frames[0].save(file, "WEBP", lossless=True, save_all=True, append_images=frames[1:])
    assert image.photograph(file.getvalue()) == "animation"


def test_damage_inside_a_scan_is_noticed():
    """Pillow shows such a picture with a grey lower half and says nothing."""
    data = pictures.jpeg(PHOTO)
    at = data.index(b"\xff\xda") + 2000
    assert "broken" in str(image.photograph(data[:at] + b"\xff\xd9"))


def test_size_limit_comes_before_decoding():
    data = pictures.jpeg(PHOTO)
    at = data.index(b"\xff\xc0") + 5
    assert str(image.photograph(data[:at] + b"\xff\xff\xff\xff" + data[at + 4 :])).startswith("65535 x 65535 = 4,294,836,225 pixels, above")


def test_photographs_before_white_are_no_graphics():
    pixels = np.full((300, 400, 3), 255, np.uint8)
    pixels[80:200, 120:280] = pictures.photo(160, 120, noise=4)
    assert isinstance(image.photograph(pictures.png(pixels)), image.Photograph)


@pytest.mark.parametrize("make", [pictures.jpeg, pictures.png, pictures.webp, pictures.bmp])
def test_never_raises_on_flipped_bytes(make):
    data = bytearray(make(pictures.photo(130, 130)))
    rng = np.random.default_rng(3)
    for at in (*range(80), *rng.integers(80, len(data), 60)):
        old = data[at]
        data[at] ^= 0x41
        result = image.photograph(bytes(data))
        assert isinstance(result, image.Photograph) or (0 < len(result) < 200)
        data[at] = old


def test_metadata_costs_nothing_when_there_is_none():
    for make in (pictures.jpeg, pictures.png, pictures.webp, pictures.bmp):
        photo = taken(make(PHOTO, **({"dpi": (0, 0)} if make is pictures.bmp else {})))
        assert photo.metadata == b""
        assert len(photo.writer) <= 4


@pytest.mark.parametrize(
    "items", [[], [metadata.Item(b"tEXt", b"x" * 5)], [metadata.Item(b"APP1", b"ab" * 5000), metadata.Item(b"COM ", b"", 1)]]
)
def test_metadata_round_trip_and_damage(items):
    stored = metadata.pack(items)
    assert metadata.unpack(stored) == items
    for end in range(1, len(stored)):
        with pytest.raises(PayloadError):
            metadata.unpack(stored[:end])
    for wrong in (b"\3", b"\2", b"\1abc", b"\0\2tEXt\0\0\0\0", b"\0\0tEXt\1\0\0\0"):
        with pytest.raises(PayloadError):
            metadata.unpack(wrong)


def test_metadata_bomb_is_refused(monkeypatch):
    monkeypatch.setattr(metadata, "MAX_BYTES", 10_000)
    for items in ([metadata.Item(b"APP1", bytes(20_000))], [metadata.Item(b"APP1", pictures.icc(20_000))]):
        with pytest.raises(PayloadError, match="damaged"):
            metadata.unpack(metadata.pack(items))


def test_write_refuses_what_a_format_cannot_hold():
    photo = taken(pictures.png(np.dstack((PHOTO, ALPHA))))
    with pytest.raises(PayloadError, match="transparency"):
        image.write(photo, "jpeg")
    with pytest.raises(PayloadError, match="choose png"):
        image.write(photo, "gif")
    damaged = image.Photograph(
        PHOTO,
        None,
        SourceFormat.JPEG,
        metadata.pack([metadata.Item(b"APPX", b"")]),
        jpeg_settings.pack(jpeg_settings.of_quality(90, grey=False)),
    )
    with pytest.raises(PayloadError, match="damaged"):
        image.write(damaged)


def test_pil_views():
    photo = taken(pictures.png(np.dstack((PHOTO, ALPHA))))
    assert pillow.of_photograph(photo).mode == "RGBA"
    assert pillow.open_picture(pictures.jpeg(PHOTO)).size == (WIDTH, HEIGHT)
    with pytest.raises(PayloadError):
        pillow.open_picture(b"nothing")


def test_limit_of_pictures_that_are_opened(monkeypatch):
    monkeypatch.setattr(pillow, "MAX_PIXELS", 1000)
    with pytest.raises(LimitExceeded):
        pillow.open_picture(png.encode(PHOTO, None))
