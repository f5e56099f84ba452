"""What of a JPEG file makes those that photoarc writes resemble it: scan order, sampling, quantisation tables, density; and these as bytes.

Sources: T.871 (JFIF), ITU-T T.81 annex K and libjpeg's jcparam.c (tables by quality).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from photoarc.errors import PayloadError
from photoarc.pictures.jpeg.segments import Jpeg, is_jfif, is_rgb

_DEFAULT_DENSITY = bytes([1, 0, 0, 1, 0, 1])  # JFIF 1.01, no unit, 1:1; as libjpeg writes it


@dataclass(frozen=True, slots=True)
class Settings:
    """What makes a JPEG that we write resemble the source's.

    `sampling`: 0 = 4:4:4, 1 = 4:2:2, 2 = 4:2:0 (Pillow's numbers). `tables`: one per component, the last one repeats.
    `density`: JFIF minor version, unit, x and y density (T.871 section 10.1), or None where the source has no JFIF segment.
    """

    progressive: bool
    sampling: int
    rgb: bool
    tables: tuple[tuple[int, ...], ...]
    density: bytes | None


def of_jpeg(jpeg: Jpeg) -> Settings:
    """Settings with which Pillow writes a file like this one.

    Pillow writes 4:4:4, 4:2:2 and 4:2:0 only; others become the nearest of these. 4:1:1 and 4:1:0 as 4:2:2 and 4:2:0 keep all that they
    have. 4:4:0 as 4:2:2 has as many samples: within 1 % of the size and 0.15 dB of 4:4:0 itself (three Kodak pictures at quality 90),
    as 4:4:4 it took 1.10 to 1.15 times as much.
    """
    parts = jpeg.frame.components
    tables = [jpeg.tables[part.table] for part in parts]
    while len(tables) > 1 and tables[-1] == tables[-2]:
        tables.pop()
    sampling = 0
    if len(parts) == 3 and parts[1].horizontal == parts[2].horizontal and parts[1].vertical == parts[2].vertical:
        ratio = parts[0].horizontal / parts[1].horizontal, parts[0].vertical / parts[1].vertical
        sampling = {(False, False): 0, (True, True): 2}.get((ratio[0] >= 2, ratio[1] >= 2), 1)
    jfif = next((s.body[6:12] for s in jpeg.metadata if is_jfif(s)), None)
    return Settings(jpeg.frame.progressive, sampling, is_rgb(jpeg), tuple(tables), jfif)


# The example tables of T.81 annex K, natural order: most encoders scale these by a quality from 1 to 100.
_LUMA = """16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62
           18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99"""
_CHROMA = """17 18 24 47 99 99 99 99 18 21 26 66 99 99 99 99 24 26 56 99 99 99 99 99 47 66 99 99 99 99 99 99 """ + "99 " * 32


@cache
def _annex_k(quality: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Luma and chroma table at an IJG quality from 1 to 100 (libjpeg jcparam.c, baseline)."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    luma, chroma = (tuple(min(max((int(v) * scale + 50) // 100, 1), 255) for v in table.split()) for table in (_LUMA, _CHROMA))
    return luma, chroma


def of_quality(quality: int, *, grey: bool) -> Settings:
    """Settings of a new JPEG: IJG quality, 4:4:4, baseline."""
    return Settings(False, 0, False, _annex_k(quality)[: 1 if grey else 2], _DEFAULT_DENSITY)


def pack(made: Settings) -> bytes:
    """Settings -> bytes: flags, [density], table code, [tables]. Two bytes for a file of libjpeg's own making."""
    explicit = made.density is not None and made.density != _DEFAULT_DENSITY
    flags = made.progressive | made.sampling << 1 | made.rgb << 3 | (made.density is not None) << 4 | explicit << 5
    packed = bytes([flags]) + (made.density or b"" if explicit else b"")
    for quality in range(1, 101):
        if made.tables in (_annex_k(quality), _annex_k(quality)[:1]):
            return packed + bytes([quality + 128 * (len(made.tables) == 1)])
    values = b"".join(value.to_bytes(2, "little") for table in made.tables for value in table)
    return packed + bytes([0]) + zlib.compress(values, 9)


def unpack(packed: bytes) -> Settings:
    """Bytes -> settings. Raises PayloadError on anything that `pack` does not write."""
    flags, at = packed[0] if packed else 255, 1
    sampling, density = flags >> 1 & 3, None
    if flags >= 64 or sampling == 3:
        raise PayloadError("JPEG settings are damaged")
    if flags & 16:
        density = packed[1:7] if flags & 32 else _DEFAULT_DENSITY
        at += 6 * (flags >> 5 & 1)
    code = packed[at : at + 1]
    if code and code[0]:
        if not 1 <= code[0] & 127 <= 100 or len(packed) != at + 1:
            raise PayloadError("JPEG settings are damaged")
        return Settings(bool(flags & 1), sampling, bool(flags & 8), _annex_k(code[0] & 127)[: 2 - (code[0] >> 7)], density)
    return Settings(bool(flags & 1), sampling, bool(flags & 8), _stored_tables(packed[at + 1 :]), density)


def _stored_tables(packed: bytes) -> tuple[tuple[int, ...], ...]:
    try:
        inflater = zlib.decompressobj()
        values = inflater.decompress(packed, 3 * 128 + 1)
    except zlib.error as error:
        raise PayloadError("JPEG settings are damaged") from error
    table_bytes: Sequence[bytes] = [values[at : at + 128] for at in range(0, len(values), 128)]
    tables = tuple(tuple(int.from_bytes(table[k : k + 2], "little") for k in range(0, 128, 2)) for table in table_bytes)
    if not inflater.eof or inflater.unused_data or len(values) not in (128, 256, 384) or not all(map(all, tables)):
        raise PayloadError("JPEG settings are damaged")
    return tables
