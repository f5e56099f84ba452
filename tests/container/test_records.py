from __future__ import annotations

import contextlib
import dataclasses
import math

import pytest
from containers import stored
from hypothesis import given
from hypothesis import strategies as st

from photoarc.container import frames, records
from photoarc.container.index import pack_entry, parse_entries
from photoarc.errors import FormatError, IndexCorrupt, LimitExceeded, NotAnArchive, PhotoarcError, Truncated, UnsupportedVersion
from photoarc.member import Kind, Member, PhotoInfo, SourceFormat

u16, u32 = st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1)
u64 = st.integers(0, 2**64 - 1)
centi = st.integers(0, 0xFFFE).map(lambda n: n / 100)
photos = st.builds(
    PhotoInfo, u32, u32, centi | st.just(math.inf), st.integers(0, 10000).map(lambda n: n / 100), u32, st.sampled_from(SourceFormat)
)


@st.composite
def members(draw: st.DrawFn) -> Member:
    kind = draw(st.sampled_from(Kind))
    is_file = kind == Kind.FILE
    parts = draw(st.just(0) | u32)
    payload_bytes = draw(st.just(0) | st.integers(0, max(parts, 1) << 30)) if is_file else 0
    return Member(
        name=draw(st.binary(max_size=300)),
        kind=kind,
        mode=draw(st.integers(0, 0o7777)),
        mtime_ns=draw(st.integers(-(2**63), 2**63 - 1)),
        size_bytes=draw(u64) if is_file else 0,
        digest=draw(st.binary(min_size=32, max_size=32)),
        codec_id=draw(u16),
        payload_bytes=payload_bytes,
        parts=parts,
        link_target=draw(st.binary(max_size=300)),
        photo=draw(st.none() | photos),
        hard_link=draw(st.binary(max_size=300)),
        duplicate=is_file and not parts and not payload_bytes and draw(st.booleans()),
    )


@given(members())
def test_a_file_record_comes_back(member: Member) -> None:
    assert records.parse_member(records.pack_member(member)) == member


@given(st.binary(max_size=400))
def test_any_bytes_parse_or_are_refused(data: bytes) -> None:
    for parse in (
        records.parse_member, frames.parse_file_header, frames.parse_chunk_header, frames.parse_footer, frames.parse_part,
        frames.parse_index_record, parse_entries,
    ):  # fmt: skip
        try:
            parse(data)
        except PhotoarcError:
            continue


@given(members(), st.data())
def test_a_changed_record_parses_or_is_refused(member: Member, data: st.DataObject) -> None:
    record = bytearray(records.pack_member(member))
    record[data.draw(st.integers(0, len(record) - 1))] = data.draw(st.integers(0, 255))
    del record[data.draw(st.integers(0, len(record))) :]
    with contextlib.suppress(FormatError, LimitExceeded):
        records.parse_member(bytes(record))


@given(st.binary(min_size=16, max_size=16), u16, u32)
def test_file_header(archive_id: bytes, minor: int, may_ignore: int) -> None:
    header = frames.FileHeader(archive_id, (1, minor), 0, may_ignore)
    packed = frames.pack_file_header(header)
    assert len(packed) == 48
    assert frames.parse_file_header(packed) == header


eight, digests = st.binary(min_size=8, max_size=8), st.binary(min_size=32, max_size=32)
chunk_headers = st.builds(
    frames.ChunkHeader,
    archive_tag=st.binary(min_size=4, max_size=4),
    type=u16,
    flags=u16,
    record_bytes=st.integers(0, 1 << 20),
    sequence=u32,
    payload_bytes=st.integers(0, 1 << 30),
    payload_check=eight,
    record_crc=u32,
)
footers = st.builds(
    frames.Footer,
    archive_id=st.binary(min_size=16, max_size=16),
    index_chunks=u32,
    index_offset=u64,
    members=u64,
    archive_bytes=u64,
    previous_footer=u64,
    index_digest=digests,
)


@given(chunk_headers)
def test_chunk_header(header: frames.ChunkHeader) -> None:
    packed = frames.pack_chunk_header(header)
    assert len(packed) == 48
    assert frames.parse_chunk_header(packed) == header
    assert header.size_bytes % 8 == 0
    assert 0 <= header.size_bytes - 48 - header.record_bytes - header.payload_bytes < 8


@given(footers)
def test_footer(footer: frames.Footer) -> None:
    packed = frames.pack_footer(footer)
    assert len(packed) == 128
    assert frames.parse_footer(packed) == footer


def test_small_records() -> None:
    part, index = frames.PartRecord(7, 2**32 - 1), frames.IndexRecord(3, 4096, frames.MAX_SHARD_BYTES)
    assert frames.parse_part(frames.pack_part(part)) == part
    assert frames.parse_index_record(frames.pack_index_record(index)) == index
    entry = pack_entry(2**40, records.pack_member(stored(b"a", b"data")))
    assert parse_entries(entry * 2) == [(2**40, stored(b"a", b"data"), entry[12:], False)] * 2


def test_every_flipped_bit_of_a_header_is_noticed() -> None:
    chunk = frames.ChunkHeader(
        archive_tag=b"abcd", type=1, flags=1, record_bytes=99, sequence=3, payload_bytes=1000, payload_check=b"12345678", record_crc=77
    )
    footer = frames.Footer(
        archive_id=bytes(16), index_chunks=1, index_offset=48, members=2, archive_bytes=500, previous_footer=0, index_digest=bytes(32)
    )
    for packed, parse in (
        (frames.pack_file_header(frames.FileHeader(bytes(16))), frames.parse_file_header),
        (frames.pack_chunk_header(chunk), frames.parse_chunk_header),
        (frames.pack_footer(footer), frames.parse_footer),
    ):
        for bit in range(len(packed) * 8):
            changed = bytearray(packed)
            changed[bit // 8] ^= 1 << bit % 8
            with pytest.raises(FormatError):
                parse(bytes(changed))


def test_later_versions_and_unknown_features_are_refused_minor_versions_are_read() -> None:
    for version, features in (((2, 0), 0), ((0, 9), 0), ((1, 0), 4)):
        with pytest.raises(UnsupportedVersion, match="newer photoarc"):
            frames.parse_file_header(frames.pack_file_header(frames.FileHeader(bytes(16), version, features)))
        with pytest.raises(UnsupportedVersion):
            frames.parse_footer(
                frames.pack_footer(
                    frames.Footer(
                        archive_id=bytes(16),
                        index_chunks=0,
                        index_offset=48,
                        members=0,
                        archive_bytes=176,
                        previous_footer=0,
                        index_digest=bytes(32),
                        version=version,
                        must_understand=features,
                    )
                )
            )
    assert frames.parse_file_header(frames.pack_file_header(frames.FileHeader(bytes(16), (1, 7), 0, 0xFF))).may_ignore == 0xFF


def test_not_an_archive_and_a_cut_header_are_told_apart() -> None:
    for data in (b"", b"PK\3\4" + bytes(60), bytes(48)):
        with pytest.raises(NotAnArchive):
            frames.parse_file_header(data)
    for length in (1, 8, 47):
        with pytest.raises(Truncated):
            frames.parse_file_header(frames.pack_file_header(frames.FileHeader(bytes(16)))[:length])


def test_lengths_above_the_limits_are_refused_before_allocation() -> None:
    for record, payload in ((2**20 + 1, 0), (0, 2**30 + 1), (2**32 - 1, 2**64 - 1)):
        header = frames.ChunkHeader(
            archive_tag=b"abcd",
            type=1,
            flags=1,
            record_bytes=record,
            sequence=3,
            payload_bytes=payload,
            payload_check=b"12345678",
            record_crc=77,
        )
        with pytest.raises(LimitExceeded):
            frames.parse_chunk_header(frames.pack_chunk_header(header))
    with pytest.raises(LimitExceeded):
        frames.parse_index_record(frames.pack_index_record(frames.IndexRecord(0, 1, frames.MAX_SHARD_BYTES + 1)))
    with pytest.raises(LimitExceeded):
        frames.parse_index_record(frames.pack_index_record(frames.IndexRecord(0, 5000, 1)))
    with pytest.raises(LimitExceeded):
        records.pack_member(stored(b"a" * 70000, b""))
    huge = records.pack_member(dataclasses.replace(stored(b"a", b""), payload_bytes=2**40))
    with pytest.raises(LimitExceeded):
        records.parse_member(huge)


def with_extension(tag: int, data: bytes) -> bytes:
    record = bytearray(records.pack_member(stored(b"name", b"x")))
    extension = tag.to_bytes(2, "little") + len(data).to_bytes(4, "little") + data
    record[8:12] = len(extension).to_bytes(4, "little")  # docs/format.md section 4: extension_bytes
    return bytes(record) + extension


def test_unknown_extensions() -> None:
    assert records.parse_member(with_extension(0x0077, b"later")) == stored(b"name", b"x")
    assert records.parse_member(with_extension(0x8077, b"later")).needs_extension == 0x8077
    assert records.parse_member(with_extension(records.PHOTO_TAG, b"of another length")).needs_extension == records.PHOTO_TAG


def test_a_record_has_exactly_the_declared_length() -> None:
    record = records.pack_member(stored(b"name", b"x"))
    for data in (record[:-1], record + b"x", record[:73], b""):
        with pytest.raises(FormatError, match="file record"):
            records.parse_member(data)


def test_a_cut_extension_is_refused() -> None:
    record = with_extension(0x0077, b"later")
    with pytest.raises(FormatError, match="declares"):
        records.parse_member(record[:-1])
    changed = bytearray(record)
    changed[-9] = 200  # its length
    with pytest.raises(FormatError, match="extension"):
        records.parse_member(bytes(changed))


def test_index_entries_that_lie_about_their_length() -> None:
    entry = pack_entry(48, records.pack_member(stored(b"a", b"")))
    for data in (entry[:-1], entry + b"x", entry[:8] + b"\xff\xff\xff\xff" + entry[12:]):
        with pytest.raises(IndexCorrupt):
            parse_entries(data)


def test_psnr_and_quality_are_kept_to_a_hundredth() -> None:
    for psnr_db, expected in ((38.126, 38.13), (math.inf, math.inf), (1e9, 655.34), (-3.0, 0.0)):
        photo = PhotoInfo(1, 1, psnr_db, 70.0, 1, SourceFormat.JPEG)
        member = records.parse_member(
            records.pack_member(
                Member(
                    name=b"a",
                    kind=Kind.FILE,
                    mode=0,
                    mtime_ns=0,
                    size_bytes=0,
                    digest=bytes(32),
                    codec_id=16,
                    payload_bytes=0,
                    parts=1,
                    photo=photo,
                )
            )
        )
        assert member.photo is not None
        assert member.photo.psnr_db == expected
        assert member.lossy


def test_display_name() -> None:
    assert stored("Füße/\n\x1b".encode() + b"\xff", b"").display_name == "Füße/\\n\\x1b\\xff"
