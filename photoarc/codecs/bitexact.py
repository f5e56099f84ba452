"""Bytes -> the smallest payload that gives the same bytes back: which codecs are asked, and how hard.

    effort   JPEG                       PNG                 TIFF, BMP, PNM          TIFF by LZW, Deflate   anything else
    0..2     jpegxl, composite          lzma                raster, fast JPEG XL    lzma                   lzma
    3, 4     jpegxl, composite, or dct  png                 raster                  tiff                   lzma
    5, 6     dct, or as before          png                 raster                  tiff                   lzma
    7..9     the smallest, and lepton   png, slow JPEG XL   raster, slow JPEG XL    tiff, slow JPEG XL     lzma

Every codec has decoded its own payload and compared before it counts; what none of them makes smaller is stored. What a picture's codec
takes goes with its pixels, what it can win with the bytes of its file: if those are few, LZMA is asked first, and what it leaves decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from photoarc import codecs
from photoarc.codecs import costs, general, store
from photoarc.errors import PayloadError
from photoarc.options import NETWORKS, TAKES_APART, THOROUGH
from photoarc.pictures.jpeg import segments
from photoarc.pictures.kinds import PictureKind
from photoarc.pictures.parsed import Parsed, parsed

FEW_BYTES = "too few bytes for its pixels to win anything"
_PATIENCE = 4  # times as much time for what can be won, from THOROUGH on
# Up to here, most of a picture's file are profiles and tables: LZMA may be smaller than its own codec, JPEG XL than networks.
_SMALL_BYTES = 16 << 10
_LEAST_USUAL, _MOST_USUAL = 0.45, 0.82  # of a photograph, that networks leave


_NEVER = 10  # efforts end at 9
_MUCH_BYTES = 512  # behind a picture; JPEG XL keeps less than that well enough


def _always(file: Parsed) -> bool:
    return True


def _much_follows(file: Parsed) -> bool:
    """Whether a JPEG has so much behind its picture that JPEG XL is not asked first."""
    try:
        return file.jpeg.tail_bytes >= _MUCH_BYTES
    except PayloadError:
        return False


def is_doubted(file: Parsed, payload_bytes: int) -> bool:
    """Whether JPEG XL may be smaller than networks, which learned from photographs and leave 0.55 to 0.8 of most.

    What they leave less of is drawn or nearly plain: a ramp of 800 x 600 pixels, 15,850 bytes, takes 3,411 by networks, 1,219 by JPEG XL.
    What they leave more of was a JPEG of other steps before (0.88, 0.77 by JPEG XL), or is most of it a profile (0.88, 0.76). Of RGB, JPEG
    XL tells one colour from another (0.57, 0.76 by networks).
    """
    size_bytes = len(file.data)
    usual = _LEAST_USUAL * size_bytes <= payload_bytes <= _MOST_USUAL * size_bytes
    return size_bytes <= _SMALL_BYTES or not usual or segments.is_apart(file.jpeg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Which kinds of files a codec takes, from which effort on.

    `suits`: for which of these files, by their contents. `others_from`: the effort from which on the rows behind it are asked as well, and
    the smallest payload is taken; `doubted` says where they are asked at any effort. `alone`: it is asked only if no row before it took the
    file. `general_too`: LZMA is asked about small files as well.
    """

    codec_id: int
    kinds: tuple[PictureKind, ...]
    from_effort: int = 0
    suits: Callable[[Parsed], bool] = _always
    others_from: int = _NEVER
    doubted: Callable[[Parsed, int], bool] | None = None  # file, bytes of the payload
    alone: bool = False
    general_too: bool = False


def _for_jpeg(codec_id: int, *, from_effort: int = 0, others_from: int = THOROUGH, **how: Any) -> Row:
    return Row(codec_id=codec_id, kinds=(PictureKind.JPEG,), from_effort=from_effort, others_from=others_from, general_too=True, **how)


# In the order in which they are asked, each codec once; the first that does not refuse has the file, unless others are asked as well.
PICTURE_CODECS = (
    _for_jpeg(codecs.COMPOSITE, suits=_much_follows, others_from=_NEVER),  # it has asked the slower ones for each of its pictures
    _for_jpeg(codecs.DCT, from_effort=NETWORKS, doubted=is_doubted),
    _for_jpeg(codecs.JPEGXL),
    _for_jpeg(codecs.COMPOSITE, others_from=_NEVER, alone=True),
    _for_jpeg(codecs.DCT, from_effort=TAKES_APART),
    _for_jpeg(codecs.LEPTON, from_effort=THOROUGH),
    Row(codec_id=codecs.PNG, kinds=(PictureKind.PNG,), from_effort=TAKES_APART, general_too=True),
    Row(codec_id=codecs.RASTER, kinds=(PictureKind.TIFF, PictureKind.BMP, PictureKind.PNM)),
    Row(codec_id=codecs.TIFF, kinds=(PictureKind.TIFF,), from_effort=TAKES_APART),
)


class Coded(NamedTuple):
    """What a file became; `refused`: in words why networks, or JPEG XL below their efforts, did not take a JPEG file."""

    codec_id: int
    payload: bytes
    refused: str = ""


def code(data: bytes | Parsed, effort: int) -> Coded:
    """A file as its smallest payload. Odd input is stored, never refused."""
    file = parsed(data)
    refusals: dict[int, str] = {}
    found = Coded(*_smallest(file, effort, refusals))
    return found if found.codec_id == codecs.DCT else found._replace(refused=_refusal(file, found, effort, refusals))


def _refusal(file: Parsed, found: Coded, effort: int, refusals: Mapping[int, str]) -> str:
    """Why a JPEG file, or the picture that it begins with, has another codec than the usual one; "" if that is just smaller."""
    if found.codec_id == codecs.COMPOSITE and codecs.DCT not in refusals:
        from photoarc.codecs import composite  # which asks for the others here

        return composite.refusal(file, found.payload) if effort >= NETWORKS else ""
    usual = _usual(effort)
    if usual == codecs.JPEGXL and usual in refusals:
        try:
            if len(segments.whole(file.jpeg).frame.components) == 4:
                return "CMYK"
        except PayloadError as error:
            return str(error)
    return refusals.get(usual, "")


def _usual(effort: int) -> int:
    """The codec of JPEG files that no better one takes."""
    return codecs.DCT if effort >= TAKES_APART else codecs.JPEGXL


def _smallest(file: Parsed, effort: int, refusals: dict[int, str]) -> tuple[int, bytes]:
    """(codec ID, payload); what codecs say that refuse it goes to `refusals`."""
    data = file.data
    dear = costs.to_pack(len(data), file.size, lossy=False, effort=effort)
    patience = _PATIENCE if effort >= THOROUGH else 1
    if file.size is not None and not costs.worth(dear.seconds, len(data) * patience):
        by_lzma = _general(data)
        if not costs.worth(dear.seconds, len(by_lzma[1]) * patience):
            if file.kind is PictureKind.JPEG:
                refusals[_usual(effort)] = FEW_BYTES
            return by_lzma
    taken = list(_by_row(file, effort, refusals))
    if not taken:
        return _general(data)
    _, found = min(taken, key=lambda one: len(one[1][1]))
    return _or_general(found, data) if taken[0][0].general_too else found


def _by_row(file: Parsed, effort: int, refusals: dict[int, str]) -> Iterator[tuple[Row, tuple[int, bytes]]]:
    """What the rows of PICTURE_CODECS make of the file."""
    asked: set[int] = set()
    taken = False
    for row in PICTURE_CODECS:
        asks = file.kind in row.kinds and effort >= row.from_effort and row.codec_id not in asked and not (row.alone and taken)
        if not asks or not row.suits(file):
            continue
        asked.add(row.codec_id)
        try:
            payload = codecs.get_exact(row.codec_id).encode(file if file.kind is PictureKind.JPEG else file.data, effort)
        except PayloadError as error:
            refusals[row.codec_id] = str(error)
            continue
        if len(payload) < len(file.data):
            taken = True
            yield row, (row.codec_id, payload)
            if effort < row.others_from and not (row.doubted and row.doubted(file, len(payload))):
                return


def misses_lepton(effort: int) -> bool:
    """Whether this effort asks for a codec that is not installed."""
    if effort < THOROUGH:
        return False
    from photoarc.codecs import lepton  # slow to load

    return not lepton.available()


def _or_general(found: tuple[int, bytes], data: bytes) -> tuple[int, bytes]:
    """What a picture's own codec found, or LZMA where that is smaller and likely to be."""
    return min(found, _general(data), key=lambda coded: len(coded[1])) if len(data) <= _SMALL_BYTES else found


def _general(data: bytes) -> tuple[int, bytes]:
    """LZMA, or what is stored."""
    try:
        payload = general.encode(data)
        if general.decode(payload, len(data)) == data:
            return codecs.LZMA, payload
    except PayloadError:
        pass
    return codecs.STORE, store.encode(data)
