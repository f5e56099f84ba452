"""Metadata of one format in another: what can be said there, and what has no place and must be told to the user."""

from __future__ import annotations

from collections.abc import Sequence

from photoarc.member import SourceFormat
from photoarc.pictures import metadata
from photoarc.pictures.metadata import Common, Item

SOURCES = {
    SourceFormat.JPEG: "jpeg",
    SourceFormat.PNG: "png",
    SourceFormat.WEBP: "webp",
    SourceFormat.BMP: "bmp",
    SourceFormat.AVIF: "avif",
    SourceFormat.HEIC: "heic",
    SourceFormat.JXL: "jxl",
}
_READ = {"jpeg": metadata.from_jpeg, "png": metadata.from_png}
_WRITE = {"jpeg": metadata.to_jpeg, "png": metadata.to_png, "webp": metadata.to_webp}
_COLOUR_CHUNKS = (b"cICP", b"iCCP", b"sRGB", b"gAMA")  # the first that is there prevails (W3C PNG third edition section 4.3)
_HDR = (b"mDCV", b"cLLI", b"mDCv", b"cLLi")
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_XMP_TEXT = b"XML:com.adobe.xmp\0"
# Gamma and chromaticities of sRGB, which is what pictures without any are taken for; programs round them one way or the other.
_SRGB_GAMMA, _NEAR = 45455, 500
_SRGB_CICP = (b"\1\r\0\1", b"\1\1\0\1")
_SRGB_POINTS = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
COLOURS, TEXTS, RESOLUTION, IPTC = "colours of PNG (cICP, gAMA, cHRM)", "texts of PNG", "the resolution", "IPTC and Photoshop's data"
COMMENTS, LONG_XMP, MAKERS, HDR, GREY, OTHERS = (
    "comments",
    "the second part of long XMP",
    "segments of makers",
    "brightness of the display it was made for",
    "the colour profile of grey",
    "other chunks of PNG",
)


def converted(items: Sequence[Item], source: str, target: str, *, grey: bool) -> list[Item]:
    """What the target format can say of the source format's metadata. Raises PayloadError where it is too long for that."""
    common = common_of(items, source)
    if target == "webp" and grey and _space(common.icc) == b"GRAY":
        common = Common(common.exif, common.xmp)  # WebP has no grey, and its profile must be one of RGB
    return _WRITE[target](common) if target in _WRITE else []


def common_of(items: Sequence[Item], source: str) -> Common:
    """EXIF, XMP and ICC; no item of a BMP bears one of WebP's names."""
    return _READ.get(source, metadata.from_webp)(items)


def wants_rgb(items: Sequence[Item], source: str) -> bool:
    """Whether a grey picture has a profile of RGB, which PNG and JPEG files of one channel must not have."""
    return _space(common_of(items, source).icc) == b"RGB "


def _space(profile: bytes) -> bytes:
    return profile[16:20]


def left_behind(items: Sequence[Item], source: str, target: str, *, grey: bool) -> tuple[str, ...]:
    """In words, each once, what of a source's metadata does not come along into another format."""
    if source == target:
        return ()
    found = _of_png(items) if source == "png" else _of_jpeg(items) if source == "jpeg" else [RESOLUTION] * (source == "bmp" and bool(items))
    if target == "webp" and grey and _space(common_of(items, source).icc) == b"GRAY":
        found.append(GREY)
    return tuple(dict.fromkeys(found))


def _of_png(items: Sequence[Item]) -> list[str]:
    chunks = {item.key: item.body for item in items}
    found = [COLOURS] if _loses_colours(chunks) else []
    for item in items:
        if item.key in _TEXTS and not item.body.startswith(_XMP_TEXT):
            found.append(TEXTS)
        elif item.key == b"pHYs":
            found.append(RESOLUTION)
        elif item.key in _HDR:
            found.append(HDR)
        elif item.key not in (*_TEXTS, *_COLOUR_CHUNKS, b"cHRM", b"eXIf"):
            found.append(OTHERS)
    return found


def _loses_colours(chunks: dict[bytes, bytes]) -> bool:
    """Whether what prevails is no profile, which comes along, and not sRGB."""
    first = next((kind for kind in _COLOUR_CHUNKS if kind in chunks), b"cHRM")
    if first == b"cICP":
        return chunks[first] not in _SRGB_CICP
    if first in (b"iCCP", b"sRGB"):
        return False
    gamma = int.from_bytes(chunks.get(b"gAMA", _SRGB_GAMMA.to_bytes(4, "big")), "big")
    body = chunks.get(b"cHRM", b"".join(point.to_bytes(4, "big") for point in _SRGB_POINTS))
    points = [int.from_bytes(body[at : at + 4], "big") for at in range(0, 32, 4)]
    return abs(gamma - _SRGB_GAMMA) > _NEAR or any(abs(a - b) > _NEAR for a, b in zip(points, _SRGB_POINTS, strict=True))


def _of_jpeg(items: Sequence[Item]) -> list[str]:
    found = []
    for item in items:
        body = item.body
        if item.key == b"COM ":
            found.append(COMMENTS)
        elif item.key == b"APPD":
            found.append(IPTC)
        elif item.key == b"APP1" and body.startswith(b"http://ns.adobe.com/xmp/extension/\0"):
            found.append(LONG_XMP)
        elif item.key != b"APPE" and not body.startswith((b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0")):
            found.append(MAKERS)
    return found
