"""What is no photograph stays bit-exact, and photographs do not (photoarc.pictures.drawings.graphics, photoarc.pictures.drawings.light)."""

import contextlib
import io
import struct
import zlib

import drawings
import numpy as np
import pictures
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from photoarc.errors import PayloadError
from photoarc.pictures import cues, image
from photoarc.pictures.drawings import graphics, light

DRAWN = dict(drawings.all_of_them())
SHOT = pictures.photo(384, 320, 7, 3.0)


def through_jpeg(pixels, quality, sampling=2):
    """Pixels as they come out of a JPEG file."""
    options = {} if pixels.ndim == 2 or pixels.shape[2] == 1 else {"subsampling": sampling}
    with Image.open(io.BytesIO(pictures.jpeg(pixels, quality, **options))) as picture:
        found = np.asarray(picture)
    return found if found.ndim == 3 else found[:, :, None]


@pytest.mark.parametrize("name", DRAWN)
def test_what_is_drawn_or_data_is_told_with_a_reason(name):
    assert graphics.reason(DRAWN[name]).startswith(("graphics: ", "data: "))


def test_there_are_many_of_them():
    assert len({(p.shape, p.tobytes()) for p in DRAWN.values()}) == len(DRAWN) >= 150


def test_a_palette_picture_comes_to_the_same_as_rgb():
    assert graphics.reason(DRAWN["palettes 256 dither 3"]) == "graphics: few colours"
    assert graphics.reason(DRAWN["normals hills 80"]) == "data: surface normals"
    assert graphics.reason(DRAWN["heights Mapbox 1500"]) == "data: numbers over several channels"
    assert graphics.reason(DRAWN["screens chat 0.85"]) == "graphics: exact edges and flat areas"
    assert graphics.reason(DRAWN["labels 12 with noise"]) == "graphics: single steps between even areas"
    assert graphics.reason(DRAWN["mosaics photograph enlarged 3 times"]) == "graphics: enlarged pixels"
    screen = "mosaics printer's screen of 8 pixels, scanned"
    assert graphics.reason(DRAWN[screen]) == "graphics: a pattern that comes back, as in a printer's screen"
    assert graphics.reason(DRAWN["texts in light that fades by 50"]) == "graphics: a page of text or lines"
    assert graphics.reason(DRAWN["texts scanned in colour 2"]) == "graphics: a page of text or lines"


@pytest.mark.parametrize(("quality", "sampling", "least"), [(60, 2, 26), (75, 0, 36), (85, 2, 35), (95, 0, 47)])
def test_drawings_in_jpeg_files(quality, sampling, least):
    """Not all can be told: a screen that is mostly photograph leaves few flat blocks at a low quality. None may be lost that were found."""
    found = [name for name, pixels in drawings.for_jpeg() if graphics.reason(through_jpeg(pixels, quality, sampling), from_jpeg=True)]
    assert len(found) >= least


def unabridged(pixels, from_jpeg=False):
    """The reason when every module is asked, whatever the cheap questions say."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cues, "find", lambda *_, **__: cues.Cues(drawn=True, numbers=True, sheets=True))
        return graphics.reason(pixels, from_jpeg=from_jpeg)


@pytest.mark.parametrize("name", DRAWN)
def test_cheap_questions_miss_nothing(name):
    decoded = through_jpeg(DRAWN[name], 85)
    for pixels, from_jpeg in ((DRAWN[name], False), (decoded, True), (decoded, False)):
        assert graphics.reason(pixels, from_jpeg=from_jpeg) == unabridged(pixels, from_jpeg)


def test_an_ordinary_photograph_is_asked_cheap_questions_only(monkeypatch):
    monkeypatch.delattr(graphics.drawn, "Sample")
    assert graphics.reason(pictures.photo(768, 512, 3, 3.0)) == ""
    with pytest.raises(AttributeError):
        graphics.reason(DRAWN["screens chat 0.6"])


def toned(pixels):
    grey = pixels.mean(2)
    return np.clip(np.stack([grey * 1.05 + 12, grey * 0.95 + 4, grey * 0.8], 2), 0, 255).astype(np.uint8)


def padded(pixels, colour, width):
    out = np.empty((pixels.shape[0] + 2 * width, pixels.shape[1] + 2 * width, 3), np.uint8)
    out[:] = colour
    out[width:-width, width:-width] = pixels
    return out


def stamped(pixels):
    picture = Image.fromarray(pixels)
    at = (pixels.shape[1] - 120, pixels.shape[0] - 20)
    ImageDraw.Draw(picture).text(at, "31.12.1999 12:00", font=ImageFont.load_default(12), fill=(255, 140, 0))
    return np.asarray(picture)


def filtered(pixels, kind):
    return np.asarray(Image.fromarray(pixels).filter(kind))


def enlarged(pixels, times):
    return np.asarray(Image.fromarray(pixels).resize((pixels.shape[1] * times, pixels.shape[0] * times), Image.Resampling.BICUBIC))


PHOTOGRAPHS = {
    "as it is": lambda p: p,
    "without noise to speak of": lambda _: pictures.photo(384, 320, 3, 0.6),
    "much noise": lambda _: pictures.photo(384, 320, 4, 25.0),
    "grey": lambda p: p[:, :, :1],
    "grey as RGB": lambda p: np.repeat(p[:, :, :1], 3, 2),
    "toned": toned,
    "black frame": lambda p: padded(p, 0, 40),
    "passe-partout": lambda p: padded(padded(p, (10, 10, 10), 2), (235, 230, 220), 30),
    "letterbox": lambda p: np.pad(p, ((50, 50), (0, 0), (0, 0))),
    "film": lambda p: np.clip(padded(p, 12, 24) + np.random.default_rng(0).normal(0, 2, (368, 432, 3)), 0, 255).astype(np.uint8),
    "date": stamped,
    "denoised": lambda p: filtered(p, ImageFilter.MedianFilter(5)),
    "out of focus": lambda p: filtered(p, ImageFilter.GaussianBlur(4)),
    "enlarged": lambda p: enlarged(p, 3),
    "blown out": lambda p: np.clip(p * 1.9, 0, 255).astype(np.uint8),
    "night": lambda p: np.clip(p * 1.5 - 150, 0, 255).astype(np.uint8),
    "underexposed": lambda p: p // 6,
    "stretched": lambda p: np.clip((p - 70.0) * 2, 0, 255).astype(np.uint8),
    "red light": lambda p: p * np.array([1, 0, 0], np.uint8),
    "sharpened": lambda p: filtered(p, ImageFilter.UnsharpMask(2, 200, 0)),
    "fabric": lambda p: np.clip(p + 25 * np.sin(np.arange(p.shape[1]) * 0.9)[:, None], 0, 255).astype(np.uint8),
}


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_photographs_are_left_alone(name):
    pixels = np.ascontiguousarray(PHOTOGRAPHS[name](SHOT))
    assert graphics.reason(pixels) == ""
    for quality in (40, 75, 92):
        decoded = through_jpeg(pixels, quality)
        assert graphics.reason(decoded, from_jpeg=True) == ""
        assert graphics.reason(decoded) == ""  # saved as PNG


def test_a_jpeg_of_a_screen_is_kept():
    data = pictures.jpeg(DRAWN["screens chat 0.3"], 95, subsampling=0)
    assert image.photograph(data) == "graphics: flat areas and edges in a JPEG"


def test_size_hardly_matters():
    large = np.tile(SHOT, (5, 5, 1))
    assert graphics.reason(large) == ""
    assert graphics.reason(np.tile(DRAWN["screens chat 0.6"], (4, 6, 1))) == "graphics: exact edges and flat areas"
    assert graphics.reason(SHOT[:40]) == ""


@pytest.mark.parametrize(
    ("chunks", "kept"),
    [
        ([(b"gAMA", struct.pack(">I", 100_000))], "data: linear light, as chunk gAMA says"),
        ([(b"gAMA", struct.pack(">I", 45_455))], ""),
        ([(b"gAMA", struct.pack(">I", 55_556))], ""),
        ([(b"gAMA", b"\0")], ""),
        ([(b"gAMA", struct.pack(">I", 100_000)), (b"sRGB", b"\0")], ""),
        ([(b"gAMA", struct.pack(">I", 100_000)), (b"cICP", bytes([1, 13, 0, 1]))], ""),
        ([(b"cICP", bytes([1, 8, 0, 1]))], "data: linear light, as chunk cICP says"),
        ([(b"sRGB", b"\0"), (b"cICP", bytes([1, 8, 0, 1]))], "data: linear light, as chunk cICP says"),
    ],
)
def test_linear_light_in_png(chunks, kept):
    found = image.photograph(pictures.png(SHOT, before=chunks))
    assert (found if isinstance(found, str) else "") == kept


def profile(curve, name=b"a profile"):
    """An ICC profile with one curve and a description."""
    tags = {b"rTRC": curve, b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(name) + 1) + name + b"\0"}
    rows, bodies, at = b"", b"", 132 + 12 * len(tags)
    for key, body in tags.items():
        rows += key + struct.pack(">II", at + len(bodies), len(body))
        bodies += body
    return bytes(128) + struct.pack(">I", len(tags)) + rows + bodies


def curve(*values):
    return b"curv\0\0\0\0" + struct.pack(f">I{len(values)}H", len(values), *values)


def power(exponent):
    return b"para\0\0\0\0\0\0\0\0" + struct.pack(">i", round(exponent * 65536))


RAMP = np.arange(256) / 255
STRAIGHT = [curve(), curve(256), power(1.0), curve(*(RAMP * 65535).astype(int))]
GAMMAS = [curve(round(2.2 * 256)), power(2.4), power(1.8), curve(*(RAMP**2.2 * 65535).astype(int))]
USUAL = [*GAMMAS, curve(0), b"", b"curv", b"mft2" + bytes(60)]


@pytest.mark.parametrize("straight", STRAIGHT)
def test_linear_light_in_profiles(straight):
    found = profile(straight)
    packed = b"ICC\0\0" + zlib.compress(found)
    files = [
        pictures.png(SHOT, before=[(b"iCCP", packed)]),
        pictures.jpeg(SHOT, segments=[(0xE2, b"ICC_PROFILE\0\1\1" + found)]),
        pictures.webp(SHOT, icc_profile=found),
    ]
    assert [image.photograph(file) for file in files] == ["data: linear light, as its colour profile says"] * 3


@pytest.mark.parametrize("usual", USUAL)
def test_other_profiles_are_as_good_as_none(usual):
    light.check_profile(profile(usual))
    light.check_profile(pictures.icc())


def test_xyb_is_kept():
    for name in (b"XYB_Per", "XYB_Per".encode("utf-16-be")):
        data = pictures.jpeg(SHOT, segments=[(0xE2, b"ICC_PROFILE\0\1\1" + profile(power(2.2), name))])
        assert image.photograph(data) == "colours that only its profile (XYB) explains"


def test_damaged_profiles_raise_nothing_else():
    whole, rng = profile(STRAIGHT[3]), np.random.default_rng(1)
    for cut in range(0, 600, 7):
        light.check_profile(whole[:cut])  # the curve is the last but one: no cut leaves it whole
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[int(rng.integers(128, 220))] = int(rng.integers(256))
        with contextlib.suppress(PayloadError):
            light.check_profile(bytes(damaged))
