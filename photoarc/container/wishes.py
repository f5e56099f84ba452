"""How the payloads of an archive were asked for, CodingOptions <-> 8 bytes (docs/format.md section 2.2).

Whoever asks for the same again with the same encoders gets the same payloads.
"""

from __future__ import annotations

from struct import Struct

from photoarc.errors import UsageError
from photoarc.options import CodingOptions, Mode, Tuning

# Number of the encoders: raised with whatever makes other payloads of the same files and options. Models, codecs, limits, libraries.
PAYLOADS = 2

_WISHES = Struct("<BBBBHH")
_MODES = (Mode.FAST, Mode.LZMA, Mode.LOSSLESS)  # 1, 2, 3
_TUNED_FOR_EYES, _RECODE, _STRIP_GPS = 1, 2, 4


def pack_wishes(options: CodingOptions) -> bytes:
    """8 bytes."""
    eyes = _TUNED_FOR_EYES if options.tuning is Tuning.SSIM else 0
    flags = eyes | (_RECODE if options.recode else 0) | (_STRIP_GPS if options.strip_gps else 0)
    numbers = round(options.quality * 100), round(options.min_gain_percent * 100)
    return _WISHES.pack(PAYLOADS, _MODES.index(options.mode) + 1, flags, options.effort, *numbers)


def of_several(data: bytes) -> bytes:
    """The same wishes, which not all payloads are made after: they are known to nobody as what he would make."""
    return bytes(1) + data[1:]


def parse_wishes(data: bytes) -> CodingOptions | None:
    """Inverse of pack_wishes; None if nothing is said, or nothing that this version understands."""
    _, mode, flags, effort, quality, min_gain = _WISHES.unpack(data)
    if not 1 <= mode <= len(_MODES):
        return None
    if _MODES[mode - 1] is Mode.LOSSLESS:
        return CodingOptions(Mode.LOSSLESS, effort=min(effort, 9))
    try:
        return CodingOptions(
            _MODES[mode - 1],
            quality / 100,
            strip_gps=bool(flags & _STRIP_GPS),
            min_gain_percent=min_gain / 100,
            recode=bool(flags & _RECODE),
            effort=effort,
            tuning=Tuning.SSIM if flags & _TUNED_FOR_EYES else Tuning.PSNR,
        )
    except UsageError:
        return None
