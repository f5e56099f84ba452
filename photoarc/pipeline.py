"""One source file: decide, encode, decode back and compare, fall back; and the inverse.

photograph?  --yes-->  learned payload, clearly smaller than the file?  --yes-->  lossy
    |no                          |no: also smaller than bit-exact,      --yes-->  lossy (asked band by band, before each is synthesised)
    |                            |    what was lossy before by `min_gain`?
    v                            v
bit-exact: jpegxl, composite (JPEG files), png (PNG files) -> lzma -> store, the first that is smaller and comes back byte for byte

Small files that are no pictures, and tiny pictures, come in batches, and share one stream (solid) where that is smaller than each alone.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from functools import cache
from typing import TYPE_CHECKING

from blake3 import blake3

from photoarc import codecs
from photoarc.codecs import bitexact, costs
from photoarc.container import groups
from photoarc.errors import (
    DecodeFailed,
    GivenUp,
    LimitExceeded,
    ModelError,
    NotDecoded,
    PayloadCorrupt,
    PayloadError,
    TooFar,
    UnsupportedCodec,
    of_member,
)
from photoarc.member import AS_JPEG, PhotoInfo
from photoarc.options import BY_CHOICE, EFFORT, CodingOptions, Mode
from photoarc.pictures.parsed import Parsed, parsed
from photoarc.pictures.size import is_tiny

if TYPE_CHECKING:
    from PIL.Image import Image

TINY = "tiny"  # as photoarc.pictures.image says it
LARGE_FILE_BYTES = 64 << 20
# Below this share of the file, bit-exact coding cannot win: it is not even tried.
CLEARLY_SMALLER = 0.6
# ... and this is what it leaves of a JPEG at least, as far as it matters. Not of one that deflate makes smaller than FLAT: plain areas,
# padding. Photographs have 0.98 and more there; a plain colour of 800 x 600 pixels had 0.06, and took 0.45 learned, 0.10 bit-exact.
LEAST_BIT_EXACT = 0.6
FLAT = 0.9
# A file above this that does not compress gains next to nothing in a group, and would be lost with it.
LEAST_ALONE_BYTES = 4096
_TINY_TOGETHER = 16  # pictures; fewer have little to share: each is tried alone first
_CHUNK_BYTES, _GROUP_BYTES = 48, 48 + 44  # framing of a member of its own, and of a group (docs/format.md sections 3.1, 4.7)


@dataclass(frozen=True, slots=True)
class Encoded:
    """One coded file; `digest` is the BLAKE3-256 of the original, `note` says why a file is kept bit-exact ("": a lossy photograph).

    `refused`: why the codec that is usual for bit-exact files of its kind did not take it. `left_out` says in words what of a photograph's
    file does not come back, metadata and pixels apart.
    With `strip_gps`, `dropped` says in words what of its metadata is gone as a whole, `holds_place` that it is kept with a place in it.
    """

    codec_id: int
    payload: bytes
    size_bytes: int
    digest: bytes
    _: KW_ONLY
    photo: PhotoInfo | None = None
    note: str = ""
    refused: str = ""
    left_out: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    holds_place: bool = False


@dataclass(frozen=True, slots=True)
class Small:
    """A small file; `may_share`: whether its record has room beside others, `no_jpeg` as in SourceFile."""

    data: bytes
    may_share: bool = True
    no_jpeg: str = ""


@dataclass(frozen=True, slots=True)
class EncodedTogether:
    """A batch of files; those of codec `solid` have no payload of their own but share this one. `digest` is of their contents."""

    files: tuple[Encoded, ...]
    payload: bytes
    digest: bytes


def encode_small(files: Sequence[Small], options: CodingOptions) -> EncodedTogether:
    """Code small files in one stream if that is smaller than each alone; what a codec for pictures takes stays alone.

    Many tiny pictures are not shown to such codecs at all.
    """
    seen = [Parsed(file.data) for file in files]
    tiny = {number for number, file in enumerate(files) if file.may_share and is_tiny(seen[number].size, len(file.data))}
    if len(tiny) < _TINY_TOGETHER:
        tiny = set()
    encoded, shared = [], []
    for number, file in enumerate(files):
        one = _untried(file, options) if number in tiny else encode_file(seen[number], options, file.no_jpeg)
        encoded.append(one)
        little = one.codec_id == codecs.STORE and one.size_bytes <= LEAST_ALONE_BYTES
        if file.may_share and (number in tiny or one.codec_id == codecs.LZMA or little):
            shared.append(number)
    contents = [files[number].data for number in shared]
    payload = groups.encode_group(contents)
    cost_alone = sum(len(encoded[number].payload) + _CHUNK_BYTES for number in shared)
    if len(payload) + _GROUP_BYTES >= cost_alone or groups.decode_group(payload, [*map(len, contents)]) != contents:
        return EncodedTogether(tuple(encoded), b"", b"")
    for number in shared:
        encoded[number] = dataclasses.replace(encoded[number], codec_id=codecs.SOLID, payload=b"")
    return EncodedTogether(tuple(encoded), payload, blake3(b"".join(contents)).digest())


def encode_file(data: bytes | Parsed, options: CodingOptions, no_jpeg: str = "") -> Encoded:
    """Code one file; odd input is stored, never refused. `no_jpeg`: why it could not be unpacked as JPEG, see photoarc.disk.scan.

    Raises ModelError if the learned codec itself is not usable (broken installation).
    """
    file = parsed(data)
    return _with_place(_encode_file(file, options, no_jpeg), file.data, options)


def _untried(file: Small, options: CodingOptions) -> Encoded:
    """A tiny picture as it is, to share a stream with others."""
    note = BY_CHOICE if options.mode is Mode.LOSSLESS else TINY
    encoded = Encoded(codecs.STORE, file.data, len(file.data), blake3(file.data).digest(), note=note)
    return _with_place(encoded, file.data, options)


def _with_place(encoded: Encoded, data: bytes, options: CodingOptions) -> Encoded:
    if options.strip_gps and encoded.photo is None:
        from photoarc.pictures.places import search

        encoded = dataclasses.replace(encoded, holds_place=search.holds_place(data))
    return encoded


def _encode_file(file: Parsed, options: CodingOptions, no_jpeg: str) -> Encoded:
    data = file.data
    digest = blake3(data).digest()
    if options.mode is Mode.LOSSLESS:
        return _bit_exact(file, digest, options.effort, BY_CHOICE)
    from photoarc.codecs.photo.fidelity import Fidelity
    from photoarc.pictures import metadata
    from photoarc.pictures.image import photograph, write
    from photoarc.pictures.places import strip

    cost = costs.to_pack(len(data), file.size, lossy=True, effort=EFFORT)
    if not costs.worth(cost.seconds, len(data)):
        return _bit_exact(file, digest, options.effort, bitexact.FEW_BYTES)
    photo = photograph(file, recode=options.recode)
    if isinstance(photo, str):
        return _bit_exact(file, digest, options.effort, photo)
    dropped: tuple[str, ...] = ()
    if no_jpeg and photo.source_format in AS_JPEG:
        return _bit_exact(file, digest, options.effort, no_jpeg)
    if options.strip_gps:
        stripped = strip.strip(metadata.unpack(photo.metadata))
        photo, dropped = dataclasses.replace(photo, metadata=metadata.pack(stripped.items)), stripped.dropped
    codec_id = codecs.LATENTS if options.mode is Mode.LZMA else codecs.LEARNED
    min_gain_percent = options.min_gain_percent if photo.was_lossy else 0.0
    share = 1 - min_gain_percent / 100

    @cache
    def exact() -> Encoded:
        why = f"not {min_gain_percent:g}% smaller than bit-exact" if min_gain_percent else "smaller bit-exact"
        return _bit_exact(file, digest, options.effort, why)

    @cache
    def is_flat() -> bool:
        return photo.was_lossy and len(zlib.compress(data, 1)) < FLAT * len(data)

    def too_large(size_bytes: int) -> bool:
        if size_bytes < min(CLEARLY_SMALLER, LEAST_BIT_EXACT * share) * len(data) and not is_flat():
            return False
        if options.strip_gps and size_bytes < len(data):
            return False  # the source as it is would be smaller, but is not what was asked for
        return share * len(exact().payload) <= size_bytes

    try:
        lossy = codecs.get_lossy(codec_id)
        payload, info = lossy.encode(photo, _quality(options), options.tuning, too_large, options.effort, Fidelity.check)
    except GivenUp:
        return exact()
    except TooFar as error:
        return _bit_exact(file, digest, options.effort, str(error))
    except (PayloadError, MemoryError) as error:
        return _bit_exact(file, digest, options.effort, f"could not be coded as a photograph: {error}")
    try:
        write(photo, quick=True)  # whatever is accepted can be written back: see there why this is proof
    except (PayloadError, MemoryError) as error:
        return _bit_exact(file, digest, options.effort, f"could not be written back: {str(error) or 'not enough memory'}")
    info = dataclasses.replace(info, quality=options.quality)  # what was asked for
    return Encoded(codec_id, payload, len(data), digest, photo=info, dropped=dropped, left_out=photo.left_out)


def _quality(options: CodingOptions) -> float:
    """What is coded, so that what comes out is as good as what was asked for."""
    if not options.searches:
        return options.quality
    from photoarc.codecs.photo import descent

    return descent.as_good(options.quality, options.effort, options.tuning)


def _bit_exact(file: Parsed, digest: bytes, effort: int, note: str) -> Encoded:
    coded = bitexact.code(file, effort)
    return Encoded(coded.codec_id, coded.payload, len(file.data), digest, note=note, refused=coded.refused)


def decode_payload(name: str, codec_id: int, payload: bytes, size_bytes: int, digest: bytes, as_format: str | None = None) -> bytes:
    """File bytes of a payload, checked against the digest if the codec is bit-exact; `as_format` concerns lossy photographs only.

    Raises PayloadCorrupt, UnsupportedCodec, DecodeFailed (NotDecoded), SymbolMismatch.
    """
    with _decoding(name):
        data = _codec(name, codec_id).decode(payload, size_bytes, as_format)
    if not codecs.CODECS[codec_id].lossy and blake3(data).digest() != digest:
        raise PayloadCorrupt(name, "the decoded bytes differ from the packed file's BLAKE3 digest; the archive is damaged here")
    return data


def decode_image(name: str, codec_id: int, payload: bytes, size_bytes: int, digest: bytes) -> Image:
    """The picture of a payload as Pillow image, without a detour over a file format; see photoarc.pictures.pillow.

    Raises what decode_payload raises; DecodeFailed for a member that is no picture.
    """
    from photoarc.pictures.pillow import of_photograph, open_picture

    _codec(name, codec_id)
    with _decoding(name):
        if codecs.CODECS[codec_id].lossy:
            return of_photograph(codecs.get_lossy(codec_id).decode_photo(payload))
        return open_picture(decode_payload(name, codec_id, payload, size_bytes, digest))


@contextmanager
def _decoding(name: str) -> Iterator[None]:
    """What stops a codec becomes the MemberError of this member."""
    try:
        with of_member(name):
            yield
    except ModelError as error:
        raise NotDecoded(name, str(error)) from error
    except LimitExceeded as error:
        raise DecodeFailed(name, str(error)) from error
    except MemoryError as error:
        raise NotDecoded(name, "not enough memory to decode it; try -j 1") from error


def _codec(name: str, codec_id: int) -> codecs.Codec:
    try:
        return codecs.get(codec_id)
    except KeyError:
        raise UnsupportedCodec(name, f"codec ID {codec_id} is unknown to this version; update photoarc") from None
