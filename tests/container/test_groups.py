"""Groups as records and chunks: lost together and named, lies and bombs refused (docs/format.md section 4.7)."""

from __future__ import annotations

import dataclasses
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import pytest
from blake3 import blake3
from containers import ARCHIVE_ID, folder, stored
from damage import overwrite

import photoarc
from photoarc import codecs
from photoarc.container import frames, groups
from photoarc.container.chunks import make_chunk
from photoarc.container.frames import ChunkType, GroupRecord
from photoarc.container.index import pack_entry
from photoarc.container.records import pack_member, parse_member
from photoarc.container.writer import ArchiveWriter
from photoarc.errors import FormatError, IndexCorrupt, LimitExceeded, MemberError, PayloadCorrupt, PhotoarcError
from photoarc.jobs.test import test as check
from photoarc.member import NO_DIGEST, Member


def grouped(files: Sequence[tuple[bytes, bytes]]) -> tuple[list[Member], bytes, bytes]:
    payload = groups.encode_group([data for _, data in files])
    shares = groups.shares(len(payload), [len(data) for _, data in files])
    members = [
        dataclasses.replace(stored(name, data), codec_id=codecs.SOLID, parts=0, payload_bytes=share, grouped=True)
        for (name, data), share in zip(files, shares, strict=True)
    ]
    return members, payload, blake3(b"".join(data for _, data in files)).digest()


TEXTS = [(b"g/%d.txt" % number, b"the note number %d " % number * (number + 3)) for number in range(4)]
MORE = [(b"h/%d.txt" % number, b"another note, %d " % number * 9) for number in range(3)]
FILES = {b"a.bin": b"first", **dict(TEXTS), b"b.bin": b"between", **dict(MORE), b"c.bin": b"last"}


def small_archive(path: Path) -> Path:
    with ArchiveWriter(path, archive_id=ARCHIVE_ID) as writer:
        writer.add(stored(b"a.bin", b"first"), [b"first"])
        writer.add_group(*grouped(TEXTS))
        writer.add(stored(b"b.bin", b"between"), [b"between"])
        writer.add_group(*grouped(MORE))
        writer.add(stored(b"c.bin", b"last"), [b"last"])
    return path


def survivors(path: Path, *, scanned: bool) -> tuple[set[bytes], bool]:
    """Names that come back, each with its bytes, and whether anything was said."""
    intact, said = set(), False
    try:
        with photoarc.open(path, scan=scanned) as archive:
            said = bool(archive.damaged)
            for member in archive:
                try:
                    assert archive.read(member) == FILES[member.name]
                    intact.add(member.name)
                except MemberError:
                    said = True
    except PhotoarcError:
        said = True
    return intact, said


def test_every_flip_costs_one_group_at_most(tmp_path: Path) -> None:
    good = small_archive(tmp_path / "a.pha").read_bytes()
    losses = [{b"a.bin"}, set(dict(TEXTS)), {b"b.bin"}, set(dict(MORE)), {b"c.bin"}, set[bytes]()]
    seen = []
    for at in range(len(good)):
        data = bytearray(good)
        data[at] ^= 0x41
        overwrite(tmp_path / "a.pha", data)
        indexed, complained = survivors(tmp_path / "a.pha", scanned=False)
        found, _ = survivors(tmp_path / "a.pha", scanned=True)
        assert set(FILES) - (indexed | found) in losses, at
        assert complained or indexed == set(FILES), at
        seen.append(set(FILES) - found)
    assert all(loss in seen for loss in losses)


def test_every_cut(tmp_path: Path) -> None:
    good = small_archive(tmp_path / "a.pha").read_bytes()
    best: set[bytes] = set()
    for length in range(0, len(good), 3):
        overwrite(tmp_path / "a.pha", good[:length])
        found, _ = survivors(tmp_path / "a.pha", scanned=True)
        assert best <= found or not found
        best = found
    assert best == set(FILES)


def test_lost_members_are_named(tmp_path: Path) -> None:
    path = small_archive(tmp_path / "a.pha")
    data = bytearray(path.read_bytes())
    payload = grouped(TEXTS)[1]
    data[data.index(payload) + 20] ^= 1
    path.write_bytes(data[:-128])  # no index either
    with photoarc.open(path, scan=True) as archive:
        assert [error.name for error in archive.damaged] == [name.decode() for name, _ in TEXTS]
        assert "payload is damaged" in str(archive.damaged[0])
        assert archive.names() == ["a.bin", "b.bin", *(name.decode() for name, _ in MORE), "c.bin"]


def test_records_in_a_group() -> None:
    members, payload, digest = grouped(TEXTS)
    assert parse_member(pack_member(members[0])) == members[0]
    record = groups.pack_group(members, digest)
    assert [member.digest for member in frames.parse_group(record).members] == [NO_DIGEST] * 4
    assert [member for member, _ in groups.open_group(record, payload)] == members
    with pytest.raises(FormatError, match="parts of its own"):
        parse_member(pack_member(dataclasses.replace(members[0], parts=1)))
    with pytest.raises(FormatError, match="parts of its own"):
        parse_member(pack_member(dataclasses.replace(folder(b"f"), grouped=True)))
    for cut in range(len(record)):
        with pytest.raises(FormatError):
            frames.parse_group(record[:cut])
    for wrong in (payload[:-1], payload + b"x", b"", bytes([255]) + payload[1:], payload[:9] + bytes([payload[9] ^ 1]) + payload[10:]):
        with pytest.raises(FormatError):
            groups.open_group(record, wrong)


def test_groups_that_lie(tmp_path: Path) -> None:
    members, payload, digest = grouped(TEXTS)
    size_bytes = sum(member.size_bytes for member in members)
    good = GroupRecord(tuple(members), size_bytes, digest)
    for lie in (
        dataclasses.replace(good, size_bytes=size_bytes + 1),
        dataclasses.replace(good, digest=bytes(32)),
        dataclasses.replace(good, members=tuple(dataclasses.replace(member, grouped=False) for member in members)),
        dataclasses.replace(good, members=(dataclasses.replace(members[0], size_bytes=2**64 - 1), *members[1:])),
    ):
        with pytest.raises((FormatError, LimitExceeded)):
            groups.open_group(frames.pack_group(lie), payload)
    with pytest.raises(LimitExceeded, match="the limits are"):
        frames.parse_group(frames.pack_group(dataclasses.replace(good, size_bytes=frames.MAX_GROUP_BYTES + 1)))


def test_a_bomb_takes_no_memory() -> None:
    """A group that declares little and holds much, and one that declares much and holds little."""
    huge = groups.encode_group([bytes(64 << 20)])
    member = dataclasses.replace(stored(b"a", b"1234"), codec_id=codecs.SOLID, parts=0, grouped=True)
    records = [
        frames.pack_group(GroupRecord((member,), 4, bytes(32))),
        frames.pack_group(
            GroupRecord((dataclasses.replace(member, size_bytes=frames.MAX_GROUP_BYTES),), frames.MAX_GROUP_BYTES, bytes(32))
        ),
        frames.pack_group(GroupRecord((member,), 4, bytes(32)))[:44] + frames.deflate(bytes(64 << 20)),
    ]
    tracemalloc.start()
    for record in records:
        for payload in (huge, huge[:100]):
            with pytest.raises((FormatError, LimitExceeded)):
                groups.open_group(record, payload)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 4 * frames.MAX_GROUP_BYTES


def test_an_index_that_says_something_else_than_the_group(tmp_path: Path) -> None:
    members, payload, digest = grouped(TEXTS)
    group = b"".join(make_chunk(ARCHIVE_ID, ChunkType.GROUP, 0, groups.pack_group(members, digest), payload))
    plain = stored(b"z", b"z")
    other = b"".join(make_chunk(ARCHIVE_ID, ChunkType.MEMBER, 1, pack_member(plain), b"z"))

    def forged(entries: list[tuple[int, Member]]) -> Path:
        joined = b"".join(pack_entry(offset, pack_member(member)) for offset, member in entries)
        record = frames.pack_index_record(frames.IndexRecord(0, len(entries), len(joined)))
        index = b"".join(make_chunk(ARCHIVE_ID, ChunkType.INDEX, 2, record, frames.deflate(joined)))
        head = frames.pack_file_header(frames.FileHeader(ARCHIVE_ID)) + group + other
        footer = frames.Footer(
            archive_id=ARCHIVE_ID,
            index_chunks=1,
            index_offset=len(head),
            members=len(entries),
            archive_bytes=len(head) + len(index) + 128,
            previous_footer=0,
            index_digest=blake3(index).digest(),
        )
        (tmp_path / "a.pha").write_bytes(head + index + frames.pack_footer(footer))
        return tmp_path / "a.pha"

    after = 48 + len(group)
    with photoarc.open(forged([(48, member) for member in members] + [(after, plain)])) as archive:
        assert len(archive) == 5
        assert check(tmp_path / "a.pha", 1).failures == ()
    renamed = dataclasses.replace(members[0], name=b"elsewhere")
    bigger = dataclasses.replace(members[1], size_bytes=1)
    with photoarc.open(forged([(48, renamed), (48, bigger), (48, members[2]), (after, plain)])) as archive:
        for name in (b"elsewhere", bigger.name):
            with pytest.raises(PayloadCorrupt, match="another record than the index"):
                archive.read(name)
        assert archive.read(members[2]) == TEXTS[2][1]
    with (
        photoarc.open(forged([(after, members[0])])) as archive,
        pytest.raises(PayloadCorrupt, match="a group of small files was expected"),
    ):
        archive.read(members[0])
    for overlap in (
        [(48, members[0]), (56, members[1])],
        [(48, members[0]), (48, plain)],
        [(48, plain), (48, members[0])],
        [(after, plain), (48, members[0])],
        [(48, members[0]), (after, plain), (48, members[1])],
    ):
        with pytest.raises(IndexCorrupt, match="overlaps"):
            photoarc.open(forged(overlap))


def test_the_writer_refuses_a_name_twice(tmp_path: Path) -> None:
    with ArchiveWriter(tmp_path / "a.pha", archive_id=ARCHIVE_ID) as writer:
        writer.add_group(*grouped(TEXTS))
        with pytest.raises(photoarc.UsageError, match="every name once"):
            writer.add_group(*grouped(TEXTS[:1]))
