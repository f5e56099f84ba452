"""What work a job will be, member by member, for the time that it will take: kinds and seconds (photoarc.codecs.costs), predicted.

The headers of at most MOST_HEADERS pictures are read, a sample of more: of the others, the sample tells how large they are.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

from photoarc import codecs
from photoarc.codecs import costs
from photoarc.disk.reading import picture_of
from photoarc.disk.scan import SourceFile
from photoarc.jobs.coding import Batch
from photoarc.member import Kind, Member
from photoarc.options import CodingOptions, Mode
from photoarc.pictures.kinds import PICTURE_ENDINGS
from photoarc.pictures.size import PictureSize
from photoarc.pipeline import LARGE_FILE_BYTES
from photoarc.progress import Expected

MOST_HEADERS = 2000
STORED_BYTES_A_S = 250e6
A_SMALL_FILE_S = 3e-4  # to make it, or to read it
WRITTEN_HERE = {codecs.STORE: STORED_BYTES_A_S, codecs.SOLID: 50e6}  # not by workers; bytes a second
LARGE_PX, HUGE_PX, COARSE_BITS = 2_000_000, 8_000_000, 1.2
RUNNING_S, LEAST_S = 0.19, 0.005  # of a prediction, what a worker that has coded a picture before need not do again
_ENDINGS = (*PICTURE_ENDINGS, b".tif", b".tiff", b".ppm", b".pgm", b".pnm", b".dng")


def of_packing(items: Iterable[SourceFile | Batch], coding: CodingOptions) -> list[Expected]:
    """One for each file, and for each batch under the name of its first file."""
    items = list(items)
    pictures = [item for item in items if isinstance(item, SourceFile) and item.name.lower().endswith(_ENDINGS)]
    sizes = _sizes(pictures)
    lossy = coding.mode is not Mode.LOSSLESS
    found = []
    for item in items:
        if isinstance(item, Batch):
            cost = costs.to_pack(sum(file.size_bytes for file in item.files), None, lossy=lossy, effort=coding.effort)
            found += [Expected(file.name, "small", cost.seconds) for file in item.files[:1]]
        elif item.kind is Kind.FILE:
            size = sizes.get(item.name)
            if size is None and item.size_bytes > LARGE_FILE_BYTES:
                found.append(Expected(item.name, "stored", 2 * item.size_bytes / STORED_BYTES_A_S))
            else:
                cost = costs.to_pack(item.size_bytes, size, lossy=lossy, effort=coding.effort, recode=coding.recode)
                found.append(Expected(item.name, _kind(item, size), max(cost.seconds - RUNNING_S * (size is not None), LEAST_S)))
    return found


def of_unpacking(members: Iterable[Member]) -> Iterator[Expected]:
    """One for each file."""
    for member in members:
        if member.kind is Kind.FILE and member.codec_id in WRITTEN_HERE:
            yield Expected(member.name, "small", A_SMALL_FILE_S + member.size_bytes / WRITTEN_HERE[member.codec_id])
        elif member.kind is Kind.FILE:
            pixels = member.photo.width_px * member.photo.height_px if member.photo else 0
            cost = costs.to_unpack(member.codec_id, member.size_bytes, member.payload_bytes, pixels)
            known = codecs.CODECS.get(member.codec_id)
            yield Expected(member.name, known.name if known else "", cost.seconds)


def of_verifying(files: Iterable[SourceFile], members: dict[bytes, Member]) -> Iterator[Expected]:
    """One for each file: reading it, and, where it cannot be what was packed, decoding what it may have been unpacked from."""
    for file in files:
        if file.kind is Kind.FILE:
            member = members.get(file.name)
            if member is not None and member.lossy and member.size_bytes != file.size_bytes:
                yield from (Expected(file.name, "unpacked", each.seconds) for each in of_unpacking([member]))
            else:
                yield Expected(file.name, "read", A_SMALL_FILE_S + file.size_bytes / STORED_BYTES_A_S)


def _kind(file: SourceFile, size: PictureSize | None) -> str:
    """What is wrong by the same factor. Of JPEG files, those of few bits a pixel are often left bit-exact after a first look."""
    if size is None:
        return "other"
    large = " huge" if size.pixels > HUGE_PX else " large" if size.pixels > LARGE_PX else ""
    coarse = " coarse" if size.kind == "jpeg" and 8 * file.size_bytes < COARSE_BITS * size.pixels else ""
    return size.kind + large + coarse


def _sizes(pictures: Sequence[SourceFile]) -> dict[bytes, PictureSize]:
    """What the headers say; of pictures whose header was not read, what their ending's pictures have in the mean."""
    step = -(-len(pictures) // MOST_HEADERS) or 1
    found: dict[bytes, PictureSize] = {}
    by_ending: dict[bytes, list[tuple[PictureSize, int]]] = {}
    for file in pictures[::step]:
        if size := picture_of(file):
            found[file.name] = size
            by_ending.setdefault(_ending(file), []).append((size, file.size_bytes))
    for file in pictures if step > 1 else ():
        if file.name not in found and (seen := by_ending.get(_ending(file))):
            pixels_a_byte = sum(size.pixels for size, _ in seen) / max(sum(size_bytes for _, size_bytes in seen), 1)
            first = seen[0][0]
            found[file.name] = PictureSize(first.kind, int(file.size_bytes * pixels_a_byte), 1, first.pixel_bytes, first.again)
    return found


def _ending(file: SourceFile) -> bytes:
    return os.path.splitext(file.name)[1].lower()
