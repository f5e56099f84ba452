"""Header of a lossy photograph's payload (docs/format.md section 7.1)."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from photoarc.codecs.photo.bands import UNIT_PX, padded
from photoarc.codecs.photo.cells import CELL_PX
from photoarc.errors import PayloadCorrupt, PayloadError
from photoarc.member import SourceFormat
from photoarc.pictures import conversion
from photoarc.pictures import metadata as stored_metadata
from photoarc.pictures.conversion import SOURCES
from photoarc.pictures.image import MAX_PIXELS

VERSION = 1
GREY, ALPHA = 1, 2
_HEADER = Struct("<BBBBHHIIHHIIIII16s")
HEADER_BYTES = _HEADER.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Section 7.1. `quality_c` is in hundredths, `checksum` the CRC-32 of the steps and of all decoded integers (7.2)."""

    source_format: SourceFormat
    grey: bool
    has_alpha: bool
    model_id: int
    model_sha256: bytes  # its first 16 bytes
    quality_c: int
    width_px: int
    height_px: int
    band_rows_px: int
    checksum: int
    metadata_bytes: int
    writer_bytes: int
    alpha_bytes: int
    cells_bytes: int

    @property
    def bands(self) -> int:
        """Number of bands, each with a stream."""
        return -(-padded(self.height_px) // self.band_rows_px)

    @property
    def cells(self) -> tuple[int, int]:
        """Rows and columns of cells with a step of their own."""
        return padded(self.height_px) // CELL_PX, padded(self.width_px) // CELL_PX

    def pack(self) -> bytes:
        """Header bytes."""
        flags = GREY * self.grey | ALPHA * self.has_alpha
        return _HEADER.pack(
            VERSION,
            flags,
            self.source_format,
            0,
            self.model_id,
            self.quality_c,
            self.width_px,
            self.height_px,
            self.band_rows_px // UNIT_PX,
            0,
            self.checksum,
            self.metadata_bytes,
            self.writer_bytes,
            self.alpha_bytes,
            self.cells_bytes,
            self.model_sha256,
        )


def parse_header(payload: bytes) -> Header:
    """Header of a payload; raises PayloadError, before anything is allocated, for what this version cannot decode."""
    if len(payload) < HEADER_BYTES:
        raise PayloadError(f"photograph payload of {len(payload)} bytes, expected at least {HEADER_BYTES}", PayloadCorrupt)
    fields = _HEADER.unpack_from(payload)
    version, flags, source, _, model_id, quality_c, width, height, units, _, checksum, metadata, writer, alpha, cells, sha = fields
    if version != VERSION:
        raise PayloadError(f"photograph payload version {version}, this version of photoarc reads {VERSION}; update photoarc")
    if not (width and height and units >= 2 and quality_c <= 10000 and flags <= (GREY | ALPHA)):
        raise PayloadError("photograph header holds impossible values; the archive is damaged here", PayloadCorrupt)
    if width * height > MAX_PIXELS:
        raise PayloadError(f"photograph of {width} x {height} pixels, the limit is {MAX_PIXELS}")
    try:
        source_format = SourceFormat(source)
    except ValueError:
        raise PayloadError(f"photograph of source format {source}, unknown to this version; update photoarc") from None
    return Header(
        source_format=source_format,
        grey=bool(flags & GREY),
        has_alpha=bool(flags & ALPHA),
        model_id=model_id,
        model_sha256=sha,
        quality_c=quality_c,
        width_px=width,
        height_px=height,
        band_rows_px=units * UNIT_PX,
        checksum=checksum,
        metadata_bytes=metadata,
        writer_bytes=writer,
        alpha_bytes=alpha,
        cells_bytes=cells,
    )


def left_behind(payload: bytes, as_format: str) -> tuple[str, ...]:
    """In words what of a photograph's metadata has no place in another format. Raises PayloadError."""
    header = parse_header(payload)
    items = stored_metadata.unpack(payload[HEADER_BYTES : HEADER_BYTES + header.metadata_bytes])
    return conversion.left_behind(items, SOURCES[header.source_format], as_format, grey=header.grey)
