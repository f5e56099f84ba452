"""What an archive holds, as values: members, kinds, photographs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from photoarc.errors import UnsupportedCodec
from photoarc.names import display

MAX_NAME_BYTES = 0xFFFF

NO_DIGEST = bytes(32)  # of folders and symbolic links

Attributes = tuple[tuple[bytes, bytes], ...]  # extended attributes: names and values


class Kind(IntEnum):
    """What a member is."""

    FILE = 0
    DIRECTORY = 1
    SYMLINK = 2


class SourceFormat(IntEnum):
    """File format that a learned photograph came from, and is written back to (AVIF, HEIC and JPEG XL: JPEG is)."""

    JPEG = 1
    PNG = 2
    WEBP = 3
    BMP = 4
    AVIF = 5
    HEIC = 6
    JXL = 7


AS_JPEG = (SourceFormat.AVIF, SourceFormat.HEIC, SourceFormat.JXL)  # what these are written back as


@dataclass(frozen=True, slots=True)
class PhotoInfo:
    """What `list` says about a photograph that was coded lossily (section 4.3).

    `psnr_db` is over RGB, stored in 1/100 dB (infinite stays infinite); `quality` is 0..100, stored in 1/100.
    """

    width_px: int
    height_px: int
    psnr_db: float
    quality: float
    model_id: int
    source_format: SourceFormat


@dataclass(frozen=True, slots=True)
class Shared:
    """What a payload has in common with that of an earlier member (section 4.9): its first and its last bytes."""

    digest: bytes  # of the earlier member's original
    before_bytes: int
    behind_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One packed file, folder or symbolic link (section 4).

    `name` is '/'-separated and exact; `digest` is the BLAKE3-256 of the original bytes; `payload_bytes` counts all parts.
    `needs_extension` is the tag of a critical extension that this version does not know (0: none): such a member can be listed only.
    A `duplicate` has no payload: it is that of the earlier member with this digest. What is `shared` stands in an earlier member's payload,
    the rest is `payload_bytes` long. `hard_link` is the name of an earlier member that was the same file on the disk. A `grouped` member's
    record and contents are in a GROUP chunk; `payload_bytes` is its share of that. `birth_ns` and `attributes` (extended ones) are what the
    file system told, None and empty where it did not. `refused`: in words why the codec that is usual for such files did not take this one.
    """

    name: bytes
    kind: Kind
    mode: int
    mtime_ns: int
    size_bytes: int
    digest: bytes
    codec_id: int
    payload_bytes: int
    parts: int
    link_target: bytes = b""
    photo: PhotoInfo | None = None
    needs_extension: int = 0
    duplicate: bool = False
    hard_link: bytes = b""
    grouped: bool = False
    birth_ns: int | None = None
    attributes: Attributes = ()
    shared: Shared | None = None
    refused: str = ""

    @property
    def lossy(self) -> bool:
        """Whether the file comes back as a near-identical picture instead of bit for bit."""
        return self.photo is not None

    def refuse_unknown(self) -> None:
        """Raises UnsupportedCodec if the record has what this version does not know and has to."""
        if self.needs_extension:
            what = f"its record needs extension {self.needs_extension:#06x}, unknown here; use a newer photoarc"
            raise UnsupportedCodec(self.display_name, what)

    @property
    def display_name(self) -> str:
        """Printable name; undecodable bytes and control characters as backslash escapes (photoarc.names.display)."""
        return display(self.name)
