"""A worker's part of reading an archive, the mirror of coding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

from photoarc import codecs
from photoarc.codecs import costs
from photoarc.codecs.costs import Cost
from photoarc.errors import DecodeFailed, MemberError, NotDecoded
from photoarc.jobs import workers
from photoarc.member import Kind, Member
from photoarc.names import safe_parts
from photoarc.options import UnpackOptions

if TYPE_CHECKING:
    from photoarc.archive import Archive
    from photoarc.disk.extractor import Extractor

# What a core decodes in the 0.5 s that a worker takes to start.
WORTH_A_WORKER_PX = 1_500_000

WORTH_A_WORKER_BYTES = {codecs.JPEGXL: 4_000_000, codecs.COMPOSITE: 4_000_000, codecs.PNG: 100_000, codecs.LZMA: 25_000_000}


@dataclass(frozen=True, slots=True)
class Job:
    """One member on its way; without a payload this process does it. `target` is the name to write, `error` what stopped it already.

    `left` says that it is not to be written, as something stands there (photoarc.disk.standing).
    """

    member: Member
    target: bytes
    payload: bytes | None = None
    as_format: str | None = None
    _: KW_ONLY
    error: MemberError | None = None
    left: str = ""


def decode(job: Job) -> bytes:
    """Worker's part of unpacking: the file's bytes. Raises MemberError, ModelError."""
    from photoarc import pipeline

    member = job.member
    assert job.payload is not None
    name = member.display_name
    return pipeline.decode_payload(name, member.codec_id, job.payload, member.size_bytes, member.digest, job.as_format)


def check(job: Job) -> int:
    """Worker's part of testing: the size of the decoded file in bytes."""
    return len(decode(job))


def jobs_of(
    archive: Archive,
    members: Sequence[Member],
    names: Mapping[bytes, bytes],
    extractor: Extractor | None = None,
    options: UnpackOptions | None = None,
) -> Iterator[Job]:
    """Reads payloads only when the crew has room for them; finds out before decoding what need not or could not be written.

    `extractor` None: test.
    """
    options = options or UnpackOptions()
    for member in members:
        target = names[member.name]
        as_format = options.as_format if member.lossy else None
        try:
            left = ""
            if extractor is None:
                safe_parts(target, windows=False)  # could be written, at least somewhere
            elif member.kind is not Kind.DIRECTORY:
                left = extractor.standing(member, target, options.existing, as_format)
            if for_crew(member) and not left:
                yield Job(member, target, archive.payload(member), as_format)
            else:
                yield Job(member, target, left=left)
        except MemberError as error:
            yield Job(member, member.name, error=error)


def for_crew(member: Member) -> bool:
    """Whether a worker decodes it: a file with a codec of this version that needs it whole."""
    known = member.codec_id in codecs.CODECS and not member.needs_extension
    return member.kind is Kind.FILE and known and member.codec_id not in codecs.STREAMED


def cost_bytes(job: Job) -> int | None:
    """Bytes that a member takes in memory: its payload and, until it is written, its file."""
    if job.payload is None:
        return None
    photo = job.member.photo
    decoded = photo.width_px * photo.height_px * 3 if photo and job.as_format else job.member.size_bytes
    return len(job.payload) + decoded


def foreseen(job: Job) -> Cost:
    """What a worker will need for a member."""
    member = job.member
    pixels = member.photo.width_px * member.photo.height_px if member.photo else 0
    return costs.to_unpack(member.codec_id, member.size_bytes, len(job.payload or b""), pixels)


def crew_for(members: Iterable[Member], most: int | None) -> int:
    """Workers that are worth their start (see workers.crew_size); what has no codec to run needs none."""
    crew = [member for member in members if for_crew(member)]
    return workers.crew_size(most, len(crew), sum(map(worth, crew)))


def worth(member: Member) -> float:
    """How many workers could start in the time that one core takes to decode it."""
    if member.photo:
        return member.photo.width_px * member.photo.height_px / WORTH_A_WORKER_PX
    return member.size_bytes / WORTH_A_WORKER_BYTES.get(member.codec_id, WORTH_A_WORKER_PX)


def raise_failure(outcome: workers.Outcome[Job, bytes] | workers.Outcome[Job, int]) -> None:
    """Raises MemberError if a worker had one, died, or could not be started."""
    name = outcome.item.member.display_name
    if outcome.item.error is not None:
        raise outcome.item.error
    if isinstance(outcome.error, MemberError):
        raise outcome.error
    if outcome.error is not None:  # a model that is missing, a limit: the file cannot be had, the others can
        raise NotDecoded(name, str(outcome.error)) from outcome.error
    if outcome.crash:
        raise (NotDecoded if outcome.blameless else DecodeFailed)(name, f"decoding it failed ({outcome.crash})")
