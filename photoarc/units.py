"""Numbers in words: sizes, ratios, durations."""

from __future__ import annotations

import math

UNITS = ("kB", "MB", "GB", "TB", "PB", "EB", "ZB")


def size(count_bytes: float) -> str:
    """Three digits and a unit: `0 B`, `999 B`, `1.23 MB`."""
    if count_bytes < 1000:
        return f"{count_bytes:.0f} B"
    scaled, unit = next((count_bytes / 1000**power, unit) for power, unit in enumerate(UNITS, 1) if count_bytes < 999.5 * 1000**power)
    return f"{scaled:.{2 if scaled < 9.995 else 1 if scaled < 99.95 else 0}f} {unit}"


def count(number: int, word: str, words: str = "") -> str:
    """`1 file`, `2 files`, `12,000 copies`."""
    return f"{number:,} {word if number == 1 else words or word + 's'}"


def ratio(packed_bytes: int, size_bytes: int) -> str:
    """Packed size in percent of the original; `-` for nothing."""
    return f"{100 * packed_bytes / size_bytes:.1f}%" if size_bytes else "-"


def duration(seconds: float) -> str:
    """`0.4 s`, `75 s`, `2 h 05 min`."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def psnr(psnr_db: float | None) -> str:
    """`38.42 dB`; None and infinity are pictures that came back exact."""
    return "exact" if psnr_db is None or math.isinf(psnr_db) else f"{psnr_db:.1f} dB"
