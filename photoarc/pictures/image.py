"""Photograph files <-> uint8 pixels and what must survive beside them.

    file bytes --split--> metadata items + coded picture --decode--> pixels, alpha          photograph()
    pixels, alpha --code like the source--> picture + metadata items --join--> file bytes   write()

The coded picture reaches its decoder without metadata, so that no hostile EXIF, text chunk or profile is parsed here at all;
metadata are opaque bytes from one end to the other. EXIF orientation is not applied: the tag stays and stays true.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin, WebPImagePlugin

from photoarc.errors import PayloadError
from photoarc.member import AS_JPEG, SourceFormat
from photoarc.pictures import bmp, conversion, heif, jxl, metadata, png, tiff, webp, writers
from photoarc.pictures.conversion import SOURCES
from photoarc.pictures.drawings import graphics, light
from photoarc.pictures.jpeg import segments, settings
from photoarc.pictures.jpeg.pixels import decode_into
from photoarc.pictures.kinds import NO_PHOTOGRAPH, PictureKind
from photoarc.pictures.metadata import Item
from photoarc.pictures.parsed import Parsed, parsed

MAX_PIXELS = 500_000_000
MIN_SIDE_PX, MIN_PIXELS = 64, 16_384  # below, a payload's fixed costs outweigh what lossy coding saves
JPEG_QUALITY = 95  # of JPEGs written for pictures that were no JPEG
WEBP_QUALITY = 95  # of WebPs written for pictures that were lossy WebPs
_MAX_SIDE_PX = {"jpeg": segments.MAX_SIDE_PX, "webp": webp.MAX_SIDE_PX}
_TARGETS = ("jpeg", "png", "webp", "bmp")
_GREY_IN_THREE = b"\3"  # what `writer` says of a PNG or BMP whose three channels are equal

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Photograph:
    """One decoded photograph.

    `pixels`: (H, W, 3) RGB or (H, W, 1) grey, uint8, orientation not applied. `alpha`: (H, W) uint8 or None. `metadata` (see
    photoarc.pictures.metadata) and `writer` (jpeg.settings.pack; the quality of a lossy WebP; _GREY_IN_THREE; else empty) are opaque to
    everyone but `write`. `left_out`: in words what of the file will not come back, for the summary only.
    """

    pixels: Pixels
    alpha: Pixels | None
    source_format: SourceFormat
    metadata: bytes
    writer: bytes
    left_out: tuple[str, ...] = ()

    @property
    def was_lossy(self) -> bool:
        """Whether the source had (JPEG XL: may have) lost something before."""
        return self.source_format in (SourceFormat.JPEG, *AS_JPEG) or (self.source_format is SourceFormat.WEBP and bool(self.writer))


def photograph(data: bytes | Parsed, *, recode: bool = False) -> Photograph | str:
    """The photograph in a file, or the reason in a few words why the file is kept bit-exact. Never raises on bad input.

    `recode`: HEIC, AVIF, JPEG XL and lossy WebP files are taken, too.
    """
    try:
        file = parsed(data)
        data, kind = file.data, file.kind
        if kind is PictureKind.JPEG:
            return _from_jpeg(file)
        if kind is PictureKind.PNG:
            return _from_png(data)
        if kind is PictureKind.WEBP:
            return _from_webp(data, recode)
        if kind is PictureKind.BMP:
            return _from_bmp(data)
        if recode and heif.kind(data[:12]):
            return _from_heif(data)
        if recode and kind is PictureKind.JXL:
            return _from_jxl(data)
        return NO_PHOTOGRAPH
    except PayloadError as error:
        return str(error)
    except MemoryError:
        return "not enough memory to decode it"
    except Exception as error:  # Pillow's plugins raise nearly anything on hostile files
        return f"broken picture: {str(error)[:120] or type(error).__name__}"


def _check_size(width_px: int, height_px: int) -> None:
    if min(width_px, height_px) < MIN_SIDE_PX or width_px * height_px < MIN_PIXELS:
        raise PayloadError("tiny")
    if width_px * height_px > MAX_PIXELS:
        raise PayloadError(f"{width_px} x {height_px} = {width_px * height_px:,} pixels, above the limit of {MAX_PIXELS:,}")


def _from_jpeg(file: Parsed) -> Photograph:
    parts = segments.whole(file.jpeg)
    if parts.tail_bytes:
        raise PayloadError("data after the end of the picture")
    for segment in parts.metadata:
        if segment.marker == segments.APP2 and segment.body[:4] == b"MPF\0":
            raise PayloadError("several pictures in one file (MPF)")
        if segment.marker == segments.APP11 and segment.body[:2] == b"JP":
            raise PayloadError("JPEG XT layers or content credentials, which belong to the exact file")
    frame = parts.frame
    if len(frame.components) == 4:
        raise PayloadError("CMYK")
    _check_size(frame.width_px, frame.height_px)
    pixels = np.empty((frame.height_px, frame.width_px, len(frame.components)), np.uint8)
    decode_into(file, pixels)
    graphics.check(pixels, from_jpeg=True)
    writer = settings.pack(settings.of_jpeg(parts))
    kept = [_jpeg_item(s) for s in parts.metadata if segments.is_kept(s, parts)]
    light.check(kept, "jpeg")
    pixels, _ = _as_grey(pixels)
    return Photograph(pixels, None, SourceFormat.JPEG, metadata.pack(kept), writer)


def _from_png(data: bytes) -> Photograph:
    parts = png.split(data)
    _check_size(parts.width_px, parts.height_px)
    light.check(parts.metadata, "png")
    with PngImagePlugin.PngImageFile(io.BytesIO(parts.picture)) as picture:
        pixels, alpha = _planes(picture)
    graphics.check(pixels)
    pixels, writer = _as_grey(pixels)
    return Photograph(pixels, alpha, SourceFormat.PNG, metadata.pack(parts.metadata), writer, parts.left_out)


def _from_webp(data: bytes, lossy_too: bool) -> Photograph:
    parts = webp.split(data, lossy_too=lossy_too)
    _check_size(parts.width_px, parts.height_px)
    light.check(parts.metadata, "webp")
    with WebPImagePlugin.WebPImageFile(io.BytesIO(parts.picture)) as picture:
        pixels, alpha = _planes(picture)
    graphics.check(pixels)
    pixels, _ = _as_grey(pixels, int(parts.lossy))  # of a lossy one, rounding may leave them one step apart
    return Photograph(pixels, alpha, SourceFormat.WEBP, metadata.pack(parts.metadata), bytes([WEBP_QUALITY] * parts.lossy))


def _from_heif(data: bytes) -> Photograph:
    """HEIC or AVIF, orientation not applied. Its metadata must be found in the file byte for byte: decoders like to mend them."""
    parts = heif.split(data)
    _check_size(parts.width_px, parts.height_px)
    _check_room(parts.width_px, parts.height_px, "jpeg")
    pixels, held = (_decode_avif if parts.kind == "avif" else _decode_heic)(data, parts)
    if pixels.shape[:2] != (parts.height_px, parts.width_px):
        raise PayloadError("a picture of another size than its container says")
    if (bool(held.exif), bool(held.xmp), bool(held.icc)) != (parts.has_exif, parts.has_xmp, parts.has_icc):
        raise PayloadError("metadata that the decoder does not find")
    if not all(body in data for body in (held.exif, held.xmp, held.icc)):
        raise PayloadError("metadata that the decoder changes")
    if (tiff.orientation(held.exif) if held.exif else 1) != parts.orientation:
        raise PayloadError("a rotation that its EXIF does not name")
    light.check_profile(held.icc)
    graphics.check(pixels)
    metadata.to_jpeg(held)  # what is written back must have room for it, and for the picture
    source = SourceFormat.AVIF if parts.kind == "avif" else SourceFormat.HEIC
    return Photograph(pixels, None, source, metadata.pack(metadata.to_webp(held)), b"")


def _from_jxl(data: bytes) -> Photograph:
    """JPEG XL, its own orientation applied."""
    parts = jxl.split(data)
    _check_size(parts.width_px, parts.height_px)
    _check_room(parts.width_px, parts.height_px, "jpeg")
    pixels = jxl.decode(data, parts)
    graphics.check(pixels)
    metadata.to_jpeg(parts.metadata)
    return Photograph(pixels, None, SourceFormat.JXL, metadata.pack(metadata.to_webp(parts.metadata)), b"")


def _decode_avif(data: bytes, parts: heif.Heif) -> tuple[Pixels, metadata.Common]:
    try:
        from PIL import AvifImagePlugin
    except ImportError:
        raise PayloadError("AVIF: this Pillow is too old to read it") from None
    with AvifImagePlugin.AvifImageFile(io.BytesIO(data)) as picture:
        if picture.size != (parts.width_px, parts.height_px):  # before memory is taken
            raise PayloadError("a picture of another size than its container says")
        info = picture.info
        pixels, alpha = _planes(picture)
    if alpha is not None:
        raise PayloadError("transparency")
    exif = info.get("exif", b"").removeprefix(b"Exif\0\0")
    return pixels, metadata.Common(exif, info.get("xmp", b""), info.get("icc_profile", b"") or b"")


def _decode_heic(data: bytes, parts: heif.Heif) -> tuple[Pixels, metadata.Common]:
    try:
        import pillow_heif
    except ImportError:
        raise PayloadError("HEIC: pillow-heif is not installed (pip install pillow-heif)") from None
    picture = pillow_heif.open_heif(data, convert_hdr_to_8bit=False, remove_stride=True)
    turned = parts.turns % 2
    if picture.size != ((parts.height_px, parts.width_px) if turned else (parts.width_px, parts.height_px)):
        raise PayloadError("a picture of another size than its container says")
    if picture.mode not in ("RGB", "L"):
        raise PayloadError(f"pixels of kind {picture.mode}")
    info = picture.info
    applied = np.asarray(picture).reshape(picture.size[1], picture.size[0], -1)
    pixels = np.ascontiguousarray(np.rot90(applied, -parts.turns))  # libheif turns what it decodes; EXIF says so as well
    exif = (info.get("exif") or b"").removeprefix(b"Exif\0\0")
    return pixels, metadata.Common(exif, info.get("xmp") or b"", info.get("icc_profile") or b"")


def _from_bmp(data: bytes) -> Photograph:
    parts = bmp.split(data)
    _check_size(parts.width_px, parts.height_px)
    pixels = bmp.decode(data, parts)
    graphics.check(pixels)
    kept = [Item(b"BMP ", parts.resolution)] if any(parts.resolution) else []
    pixels, writer = _as_grey(pixels)
    return Photograph(pixels, None, SourceFormat.BMP, metadata.pack(kept), writer, ("long headers of BMP",) if parts.long_header else ())


def _as_grey(pixels: Pixels, apart: int = 0) -> tuple[Pixels, bytes]:
    """One channel for three that are `apart` at most, which a network would give a tint, and what `writer` says of it."""
    if pixels.shape[2] == 1:
        return pixels, b""
    rows = max(1, (1 << 18) // pixels.shape[1])
    for top in range(0, len(pixels), rows):
        strip = pixels[top : top + rows].astype(np.int16)
        if np.abs(strip[:, :, ::2] - strip[:, :, 1:2]).max() > apart:
            return pixels, b""
    return np.ascontiguousarray(pixels[:, :, 1:2]), _GREY_IN_THREE


def _planes(picture: Image.Image) -> tuple[Pixels, Pixels | None]:
    """Pillow image -> (H, W, 1 or 3) pixels and (H, W) alpha, strip by strip: `np.asarray` would hold the picture three times."""
    colours = {"L": 1, "LA": 1, "RGB": 3, "RGBA": 3}.get(picture.mode, 0)
    if not colours:
        raise PayloadError(f"pixels of kind {picture.mode}")
    picture.load()
    width, height = picture.size
    pixels = np.empty((height, width, colours), np.uint8)
    alpha = np.empty((height, width), np.uint8) if picture.mode in ("LA", "RGBA") else None
    rows = max(1, (1 << 20) // width)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        strip = np.asarray(picture.crop((0, top, width, bottom))).reshape(bottom - top, width, -1)
        pixels[top:bottom] = strip[:, :, :colours]
        if alpha is not None:
            alpha[top:bottom] = strip[:, :, colours]
    return pixels, alpha


def write(photo: Photograph, as_format: str | None = None, *, quick: bool = False) -> bytes:
    """File bytes in the source's format (AVIF, HEIC, JPEG XL: as JPEG), or as "png", "jpeg", "webp" or "bmp", with the metadata put back.

    JPEG sources are written with their own quantisation tables, sampling (the nearest that Pillow has) and scan order, so that
    coefficients snap to the source's own steps. Measured on 74 JPEGs: 57.0 dB from the source's pixels at 0.97
    of its size, against 50.1 dB and 1.8 times the size at quality 95, 4:4:4. Into another format go EXIF, XMP and ICC; the rest
    of the metadata has no place there. Raises PayloadError if the format cannot hold the picture or its metadata.

    `quick` spends no time on making the file small. Packing writes the source's own pixels so and throws the file away: what can fail is
    the same (size, transparency, sampling, tables, metadata, memory), for no writer here fails by what the pixels are but Pillow's
    optimised and progressive JPEG, which `writers` then does without.
    """
    source = SOURCES[photo.source_format]
    target = as_format or (source if source in _TARGETS else "jpeg")
    if target not in _TARGETS:
        raise PayloadError(f"cannot write a picture as {target!r}; choose png, jpeg or webp")
    _check_room(photo.pixels.shape[1], photo.pixels.shape[0], target)
    items, pixels = metadata.unpack(photo.metadata), outward(photo, target)
    if target != source:
        items = conversion.converted(items, source, target, grey=photo.pixels.shape[2] == 1)
    if target == "png":
        return png.encode(pixels, photo.alpha, items, **({"filters": (1,)} if quick else {}))
    if target == "webp":
        quality = min(photo.writer[0], 100) if source == "webp" and photo.writer else None
        return writers.webp_file(pixels, photo.alpha, items, quality, quick=quick)
    if photo.alpha is not None:
        raise PayloadError(f"a picture with transparency cannot be written as {target}; choose png or webp")
    if target == "bmp":
        return bmp.encode(pixels, next((i.body for i in items if i.key == b"BMP " and len(i.body) == 8), bytes(8)))
    grey = pixels.shape[2] == 1
    made_as = settings.unpack(photo.writer) if target == source else settings.of_quality(JPEG_QUALITY, grey=grey)
    return writers.jpeg_file(pixels, items, made_as, quick=quick)


def outward(photo: Photograph, target: str) -> Pixels:
    """Pixels as a file has them: three equal channels of a grey picture where a PNG had them, or its profile is one of RGB."""
    source = SOURCES[photo.source_format]
    if photo.pixels.shape[2] == 3 or target == "webp":
        return photo.pixels
    three = target == source and photo.writer == _GREY_IN_THREE
    may_gain = target in ("png", "jpeg") and (target != source or source == "jpeg")  # a PNG has what it had
    if three or (may_gain and _has_rgb_profile(photo)):
        return np.repeat(photo.pixels, 3, axis=2)
    return photo.pixels


def _has_rgb_profile(photo: Photograph) -> bool:
    return conversion.wants_rgb(metadata.unpack(photo.metadata), SOURCES[photo.source_format])


def _check_room(width_px: int, height_px: int, target: str) -> None:
    """Raises PayloadError for a picture that a format has no room for."""
    most_px = _MAX_SIDE_PX.get(target)
    if most_px is not None and max(width_px, height_px) > most_px:
        raise PayloadError(f"{width_px:,} x {height_px:,} pixels cannot be written as {target}, which ends at {most_px:,} a side")


def _jpeg_item(segment: segments.Segment) -> Item:
    return Item(b"COM " if segment.marker == segments.COM else b"APP%X" % (segment.marker & 15), segment.body)
