"""Archives, opened: the members of one, and their contents. The bytes are described in docs/format.md sections 1-6.

Payloads are opaque here: `pipeline` makes them and turns them back. Three codecs are known: 0 (store) and 10 (blocks), because a large file
has several parts, which are read one by one; and 5 (solid), because a group of small files is one chunk with many members.
"""

from __future__ import annotations

import functools
import io
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from blake3 import blake3

from photoarc import codecs, progress
from photoarc.container.ends import Codings, Ends, read_ends
from photoarc.container.groups import open_group
from photoarc.container.index import read_index
from photoarc.container.member_file import MemberFile
from photoarc.container.payloads import Payloads, Stored
from photoarc.container.pieces import Joined, Made, Piece, Stretch
from photoarc.container.salvage import salvage
from photoarc.container.source import Place, path_of, source_of
from photoarc.container.traces import no_archive
from photoarc.disk.origin import mark_of
from photoarc.disk.targets import target
from photoarc.errors import (
    FormatError,
    IndexCorrupt,
    LimitExceeded,
    NotAnArchive,
    PayloadCorrupt,
    Truncated,
    UnknownMember,
    UsageError,
    of_member,
)
from photoarc.member import Kind, Member
from photoarc.names import display, safe_parts

if TYPE_CHECKING:
    from PIL.Image import Image

_ZEROS = bytes(1 << 20)


class Archive:
    """An opened archive: the sequence of its members, and their contents on demand.

    `scan=True` finds members by their chunks instead of the index (docs/format.md section 6.2); `damaged` then has one error for
    each member that is known to have been there and cannot be read, and `warnings` says the same in words. `path` is empty
    for one that is no file on this disk, `mark` that of what was downloaded (photoarc.disk.origin).
    """

    def __init__(self, place: Place, *, scan: bool = False) -> None:
        self._source = source_of(place)
        self.name = self._source.name
        self.path = path_of(place)
        self.mark = mark_of(self.path) if self.path else b""
        self.warnings: list[str] = []
        self.damaged: list[PayloadCorrupt] = []
        self.recovery_percent = 0.0  # how much may be lost in one place, as far as an archive with its end tells
        try:
            stored = self._found_by_scanning() if scan else self._found_in_index()
        except BaseException as error:
            self._source.close()
            if isinstance(error, FormatError | LimitExceeded):
                error.args = (f"{self.name}: {error}",)
            raise
        self.members: Sequence[Member] = [member for member, _ in stored]
        self._stored = stored
        self._positions = {member.name: position for position, member in enumerate(self.members)}
        self._payloads = Payloads(self._source, self._tag, stored, self._removed)

    def _found_by_scanning(self) -> Sequence[Stored]:
        """Members and the offsets of their chunks; sets everything else."""
        found = salvage(self._source, lambda record, payload: [member for member, _ in open_group(record, payload)])
        self._tag: bytes | None = found.archive_tag  # None: several archives, one behind the other
        self._removed: Sequence[Stored] = found.removed
        self._read_codings = functools.partial(Codings.of_unfinished, self._source, found.first_end)
        self.warnings, self.damaged = found.warnings, found.damaged
        return found.members

    def _found_in_index(self) -> Sequence[Stored]:
        ends = self._ends()
        self._tag = ends.header.archive_id[:4]
        self.warnings += [f"{self.name}: {ends.remark}"] if ends.remark else []
        self.recovery_percent = ends.footer.recovery_percent
        entries = read_index(self._source, ends.header, ends.footer).entries
        self._read_codings = functools.partial(Codings.of, self._source, ends.footer)
        self._removed = [(entry.member, (entry.offset,)) for entry in entries if entry.removed]
        return [(entry.member, (entry.offset,)) for entry in entries if not entry.removed]

    def _ends(self) -> Ends:
        try:
            return read_ends(self._source)
        except NotAnArchive as error:
            raise no_archive(self._source) from error

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self.members)

    def __iter__(self) -> Iterator[Member]:
        return iter(self.members)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str | bytes | Member) and self._find(name) is not None

    def close(self) -> None:
        """Closes the file, unless it was opened by somebody else; reading afterwards raises UsageError."""
        self._source.close()

    def names(self) -> list[str]:
        """Printable names, in archive order."""
        return [member.display_name for member in self.members]

    def info(self, name: str | bytes) -> Member:
        """Member by exact name (bytes, or as the file system spells it) or by printable name; raises UnknownMember."""
        return self.members[self._position(name)]

    def _find(self, name: str | bytes | Member) -> int | None:
        if isinstance(name, Member):
            position = self._positions.get(name.name)
            return position if position is not None and self.members[position] == name else None
        if isinstance(name, bytes):
            return self._positions.get(name)
        position = self._positions.get(name.encode("utf-8", "surrogateescape"))
        if position is None and "\\" in name:  # only escaped names differ from their printable form
            position = next((i for i, member in enumerate(self.members) if member.display_name == name), None)
        return position

    def _position(self, name: str | bytes | Member) -> int:
        position = self._find(name)
        if position is None:
            shown = name if isinstance(name, str) else display(name if isinstance(name, bytes) else name.name)
            raise UnknownMember(f"{self.name}: no member is called {shown}; `photoarc list` shows the names")
        return position

    def _file(self, name: str | bytes | Member) -> Member:
        member = self.members[self._position(name)]
        if member.kind != Kind.FILE:
            raise UsageError(f"{member.display_name}: is a {member.kind.name.lower()}, it has no contents to read")
        return member

    def payload_parts(self, member: Member) -> Iterator[bytes]:
        """Payload, part by part, each compared with its stored check before it is yielded; raises PayloadCorrupt or UnsupportedCodec."""
        return self._payloads.parts(self._stored[self._position(member)])

    def payload(self, member: Member) -> bytes:
        """Whole payload; see payload_parts."""
        return b"".join(self.payload_parts(member))

    @functools.cached_property
    def _codings(self) -> Codings:
        """Read when somebody asks: one footer for each addition, which may be far away."""
        return self._read_codings()

    @property
    def removed(self) -> list[Member]:
        """Members that were taken out or replaced, and whose payloads others need."""
        return [member for member, _ in self._removed]

    @property
    def additions(self) -> int:
        """How often the archive was added to or changed since it was written, as far as that is known."""
        return max(self._codings.footers - 1, 0)

    def coding_of(self, member: Member) -> bytes:
        """How the payload of a member was coded (photoarc.container.wishes); zeros where the archive does not say."""
        if member.duplicate:
            return self._codings.at(self._payloads.original(member)[1][0])
        return self._codings.at(self.offset_of(member))

    def offset_of(self, member: Member) -> int:
        """Where the first chunk of a member is; members of a group have the same."""
        return self._stored[self._position(member)][1][0]

    def read(self, name: str | bytes | Member, as_format: str | None = None) -> bytes:
        """Contents of a file, its digest checked (lossless codecs); a photograph in its own format or as "png", "jpeg", "webp".

        Raises MemberError, ModelError or UsageError.
        """
        pieces: list[bytes] = []
        self.chunks_into(self._file(name), pieces.append, as_format)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def open(self, name: str | bytes | Member, as_format: str | None = None) -> io.BufferedReader:
        """A file as a file object to read and to seek in, closed by whoever opened it; a photograph has the bytes that `read` gives.

        Of stored files only what is asked for is read, of large ones in blocks only the blocks that this touches; others are decoded
        whole at the first read. What is checked: all bytes once they have been read in order, where the last read raises PayloadCorrupt
        if they do not have the digest of the packed file; each block before anything of it is given; what is decoded whole, as by `read`.
        Nothing is compared of single bytes out of a stored file. Raises UsageError, now or at the first read MemberError, ModelError.
        """
        member = self._file(name)
        contents, digest = self._contents(member, as_format)
        return io.BufferedReader(MemberFile(member.display_name, contents, digest))

    def _contents(self, member: Member, as_format: str | None) -> tuple[Piece, bytes | None]:
        """Contents to read at any place, and the digest that nobody compares on the way. Raises PayloadCorrupt."""
        chunks = self._payloads.chunks(self._stored[self._position(member)]) if member.codec_id in (codecs.STORE, codecs.BLOCKS) else None
        if chunks is None:
            return Made(lambda: self.read(member, as_format)), None
        if member.codec_id == codecs.BLOCKS:
            from photoarc.codecs.block_reader import open_blocks

            return open_blocks(self._source, member, chunks), member.digest
        stored = Joined([Stretch(self._source, chunk.payload_offset, chunk.header.payload_bytes) for chunk in chunks])
        if stored.size_bytes != member.size_bytes:
            raise PayloadCorrupt(member.display_name, f"{stored.size_bytes} bytes are stored, the file had {member.size_bytes}")
        return stored, member.digest

    def chunks_into(
        self, member: Member, write: Callable[[bytes], object], as_format: str | None = None, skip: Callable[[int], object] | None = None
    ) -> None:
        """The same, handed to `write` in pieces, so that a large file never is in memory as a whole.

        Holes of sparse files come to `skip` as numbers of bytes; without it, as zeros to `write`. A wrong digest raises PayloadCorrupt
        after the last piece: let nobody see what was written before this returns.
        """
        name = self._file(member).display_name
        if member.codec_id in codecs.STREAMED:
            digest, size = blake3(), 0
            for hole_bytes, data in self._runs(member):
                for start in range(0, hole_bytes, len(_ZEROS)):
                    zeros = _ZEROS[: hole_bytes - start]
                    digest.update(zeros)
                    if skip is None:
                        write(zeros)
                if hole_bytes and skip is not None:
                    skip(hole_bytes)
                digest.update(data)
                size += hole_bytes + len(data)
                write(data)
                if hole_bytes + len(data) < member.size_bytes:  # a film of 10 GB must not look like a stopped job
                    progress.tell(size / member.size_bytes)
            if size != member.size_bytes or digest.digest() != member.digest:
                raise PayloadCorrupt(
                    name,
                    f"{size} bytes with BLAKE3 {digest.hexdigest()} were stored, {member.size_bytes} with {member.digest.hex()} expected",
                )
            return
        from photoarc import pipeline

        write(pipeline.decode_payload(name, member.codec_id, self.payload(member), member.size_bytes, member.digest, as_format))

    def _runs(self, member: Member) -> Iterator[tuple[int, bytes]]:
        """Contents of a member of a streamed codec: bytes of a hole, the data behind it. Raises MemberError."""
        left = member.size_bytes
        for part in self.payload_parts(member):
            if member.codec_id != codecs.BLOCKS:
                yield 0, part
            elif part:  # the record of a duplicate has an empty one
                from photoarc.codecs import blocks

                with of_member(member.display_name):
                    for hole_bytes, data in blocks.decode_block(part, left):
                        left -= hole_bytes + len(data)
                        yield hole_bytes, bytes(data)

    def image(self, name: str | bytes | Member) -> Image:
        """A picture as PIL.Image.Image, loaded; raises MemberError, ModelError or UsageError.

        `info` has exif, icc_profile, dpi and xmp as a file that is unpacked has them, so `getexif()` works. Pixels are not turned as EXIF
        says: ImageOps.exif_transpose does that (HEIC and JPEG XL are turned already, and their EXIF says so). HEIC needs the package
        pillow-heif. Up to 500 megapixels are opened, Pillow's own limit does not count here; they take 4 to 10 bytes a pixel meanwhile.
        """
        from photoarc import pipeline

        member = self._file(name)
        payload = self.payload(member)
        return pipeline.decode_image(member.display_name, member.codec_id, payload, member.size_bytes, member.digest)

    def write_into(self, member: Member, file: BinaryIO, as_format: str | None = None) -> None:
        """Contents of a file into one that is open and empty; holes stay holes there. Raises what chunks_into raises."""
        self.chunks_into(member, file.write, as_format, lambda hole_bytes: file.seek(hole_bytes, os.SEEK_CUR))
        size_bytes = file.tell()
        if file.seek(0, os.SEEK_END) < size_bytes:  # a hole at the end is not there yet
            _lengthen(file, size_bytes)

    def extract(
        self, name: str | bytes | Member, destination: str | os.PathLike[str] = ".", *, as_format: str | None = None, force: bool = False
    ) -> Path:
        """Writes one member below a folder, which is made if it is missing, with its times and mode, as `unpack` does; returns its path.

        A photograph that was coded lossily may be written as "png", "jpeg" or "webp". `force` replaces a file that is there.
        Raises MemberError, ModelError or UsageError.
        """
        from photoarc.disk.extractor import Extractor

        member = self.members[self._position(name)]
        as_format = as_format if member.photo else None
        called = target(member, as_format)
        with Extractor(Path(destination), force, keep=self.path or None, mark=self.mark) as extractor:
            if member.kind == Kind.DIRECTORY:
                extractor.directory(member)
            elif member.kind == Kind.SYMLINK:
                extractor.symlink(member)
            else:
                called = extractor.file(member, lambda file: self.write_into(member, file, as_format), called)
            if errors := extractor.finish():
                raise errors[0]
        return Path(destination, *map(os.fsdecode, safe_parts(called)))

    def test(self, member: Member) -> None:
        """Read and decode everything of a member and throw it away; raises MemberError (or ModelError)."""
        if member.kind == Kind.FILE:
            self.chunks_into(member, lambda _: None)
        else:
            self.payload(member)


def _lengthen(file: BinaryIO, size_bytes: int) -> None:
    """Make a file longer, by a hole; where the file system refuses that, by a zero at the end, which every one takes. Raises OSError."""
    try:
        file.truncate(size_bytes)
    except OSError:
        file.seek(size_bytes - 1)
        file.write(b"\0")
        file.flush()


def open_archive(place: Place) -> Archive:
    """Opens an archive, by scanning if its index is unreadable; `Archive.warnings` then says so. Raises FormatError, UsageError."""
    try:
        return Archive(place)
    except (IndexCorrupt, Truncated) as error:
        archive = Archive(place, scan=True)
        failed = {str(damage) for damage in archive.damaged}  # these are listed with the other failures
        archive.warnings = [str(error), *(warning for warning in archive.warnings if warning not in failed)]
        return archive
