"""What `pack` would do, told from headers: what would be tried lossily, what stays bit-exact and why, roughly how large.

Nothing is coded. Drawings are told from photographs, and photographs that gain too little from the others, only when they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from photoarc.disk.reading import open_source, readable
from photoarc.disk.scan import SourceFile
from photoarc.errors import MemberError
from photoarc.member import Kind
from photoarc.options import BY_CHOICE, CodingOptions, Mode
from photoarc.pictures.kinds import PICTURE_ENDINGS
from photoarc.pictures.size import PictureSize, picture_size

# Typical shares of a file that are left, at the default quality and effort: of 360 files of phones and cameras, and the Kodak pictures.
LEFT_LOSSY = {"jpeg": 0.6, "png": 0.12, "bmp": 0.05, "webp": 0.3, "heif": 0.8, "jxl": 0.7}
LEFT_EXACT = {"jpeg": 0.8, "png": 0.7, "bmp": 0.5, "pnm": 0.5, "tiff": 0.5}
LEFT_OTHER, LEFT_PACKED = 0.4, 1.0
_NAMES = {
    "jpeg": "JPEG",
    "png": "PNG",
    "bmp": "BMP",
    "webp": "WebP",
    "heif": "HEIC and AVIF",
    "jxl": "JPEG XL",
    "tiff": "TIFF",
    "pnm": "PNM",
}
_PACKED = tuple(
    b".heic .heif .avif .jxl .webp .gif .mp4 .m4v .mov .avi .mkv .webm .mp3 .m4a .aac .ogg .flac "
    b".zip .gz .bz2 .xz .zst .7z .rar .pha .pdf .docx .xlsx .jar .apk".split()
)


@dataclass(frozen=True, slots=True)
class Outlook:
    """Files of one kind with one fate; `packed_bytes` is an estimate from typical shares."""

    kind: str
    lossy: bool
    why: str
    files: int
    size_bytes: int
    packed_bytes: int


def rehearse(files: Iterable[SourceFile], coding: CodingOptions) -> tuple[list[Outlook], list[MemberError]]:
    """Kinds and fates, the largest first; files that cannot be opened."""
    found: dict[tuple[str, bool, str], Outlook] = {}
    errors: list[MemberError] = []
    for file in files:
        if file.kind is not Kind.FILE:
            continue
        try:
            size = _header(file)
        except MemberError as error:
            errors.append(error)
            continue
        kind, why = _NAMES[size.kind] if size else "other files", _why_exact(size, coding)
        left = _left(file, size, lossy=not why)
        before = found.get((kind, not why, why), Outlook(kind, not why, why, 0, 0, 0))
        found[kind, not why, why] = Outlook(
            kind, not why, why, before.files + 1, before.size_bytes + file.size_bytes, before.packed_bytes + round(left * file.size_bytes)
        )
    return sorted(found.values(), key=lambda outlook: -outlook.size_bytes), errors


def _header(file: SourceFile) -> PictureSize | None:
    """What the file says of its picture; every file is opened, so that what cannot be read is known. Raises UnreadableSource."""
    with open_source(file) as opened, readable(file):
        return picture_size(opened)


def _why_exact(size: PictureSize | None, coding: CodingOptions) -> str:
    """Why a file stays bit-exact for sure; empty if it would be tried lossily."""
    from photoarc.pictures.image import MAX_PIXELS, MIN_PIXELS, MIN_SIDE_PX

    if size is None:
        return "not a photograph format"
    if coding.mode is Mode.LOSSLESS:
        return BY_CHOICE
    if size.kind in ("heif", "jxl") and not coding.recode:
        return "not without --recode"
    if size.kind in ("tiff", "pnm"):
        return "not a photograph format"
    if min(size.width_px, size.height_px) < MIN_SIDE_PX or size.pixels < MIN_PIXELS:
        return "tiny"
    if size.pixels > MAX_PIXELS:
        return f"more than {MAX_PIXELS:,} pixels"
    if size.kind == "webp" and size.pixel_bytes == 3 and not coding.recode:  # a header of its own says so, others do not tell
        return "lossy WebP, not without --recode"
    return "16 bits a channel" if size.kind == "png" and size.pixel_bytes in (6, 8) else ""


def _left(file: SourceFile, size: PictureSize | None, *, lossy: bool) -> float:
    if size is not None:
        return (LEFT_LOSSY if lossy else LEFT_EXACT).get(size.kind, LEFT_PACKED)
    name = file.name.lower()
    return LEFT_PACKED if name.endswith((*_PACKED, *PICTURE_ENDINGS)) else LEFT_OTHER
