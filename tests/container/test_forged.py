"""Archives whose parts do not agree: every chunk is intact, and what they claim is false (docs/format.md section 5.3)."""

from __future__ import annotations

import dataclasses
import tracemalloc
from pathlib import Path

import pytest
from blake3 import blake3
from containers import ARCHIVE_ID, names, stored

import photoarc
from photoarc.container import frames
from photoarc.container.chunks import make_chunk
from photoarc.container.frames import ChunkType
from photoarc.container.index import pack_entry
from photoarc.container.records import pack_member
from photoarc.errors import IndexCorrupt, LimitExceeded, PayloadCorrupt, UnsupportedCodec


def forge(
    path: Path, records: list[tuple[bytes, bytes]], *, offsets: dict[int, int] | None = None, inflated: int | None = None, **footer: object
) -> Path:
    """An archive whose parts need not agree; `offsets` replaces those of the index, by position."""
    data, entries = frames.pack_file_header(frames.FileHeader(ARCHIVE_ID)), b""
    for n, (record, payload) in enumerate(records):
        entries += pack_entry((offsets or {}).get(n, len(data)), record)
        data += b"".join(make_chunk(ARCHIVE_ID, ChunkType.MEMBER, n, record, payload))
    index_record = frames.pack_index_record(frames.IndexRecord(0, len(records), len(entries) if inflated is None else inflated))
    index = b"".join(make_chunk(ARCHIVE_ID, ChunkType.INDEX, len(records), index_record, frames.deflate(entries)))
    values = {
        "archive_id": ARCHIVE_ID, "index_chunks": 1, "index_offset": len(data), "members": len(records), "previous_footer": 0,
        "archive_bytes": len(data) + len(index) + 128, "index_digest": blake3(index).digest(),
    }  # fmt: skip
    path.write_bytes(data + index + frames.pack_footer(frames.Footer(**(values | footer))))  # type: ignore[arg-type]
    return path


def simple(name: bytes, data: bytes = b"12345678") -> tuple[bytes, bytes]:
    return pack_member(stored(name, data)), data


def test_a_critical_extension_costs_one_member(tmp_path: Path) -> None:
    record = bytearray(pack_member(stored(b"later", b"data")))
    record[8:12] = (6).to_bytes(4, "little")
    record += b"\x01\x90\0\0\0\0"
    path = forge(tmp_path / "a.pha", [(bytes(record), b"data"), (pack_member(stored(b"ok", b"x")), b"x")])
    for scan in (False, True):
        with photoarc.open(path, scan=scan) as archive:
            assert archive.names() == ["later", "ok"]
            with pytest.raises(UnsupportedCodec, match="0x9001"):
                archive.read("later")
            assert archive.read("ok") == b"x"


def test_an_index_that_lies_is_refused(tmp_path: Path) -> None:
    two = [simple(b"a"), simple(b"b")]
    path = tmp_path / "a.pha"
    assert names(forge(path, two)) == ["a", "b"]
    lies: list[dict[str, object]] = [
        {"offsets": {1: 48}}, {"offsets": {1: 56}}, {"offsets": {0: 0}}, {"offsets": {0: 2**63}},
        {"offsets": {1: 2**64 - 8}},
        {"members": 3}, {"index_chunks": 0}, {"index_chunks": 2}, {"index_offset": 48}, {"index_offset": 2**63},
        {"index_digest": bytes(32)},
        {"archive_id": bytes(16)}, {"archive_bytes": 500}, {"inflated": 1}, {"inflated": 10000}, {"version": (1, 1)},
    ]  # fmt: skip
    for lie in lies:
        forge(path, two, **lie)  # type: ignore[arg-type]
        with pytest.raises(IndexCorrupt):
            photoarc.open(path)
        assert names(path, scan=True) == ["a", "b"]
    with pytest.raises(IndexCorrupt, match="two members called a"):
        photoarc.open(forge(path, [simple(b"a"), simple(b"a", b"2")]))
    with pytest.raises(LimitExceeded):
        photoarc.open(forge(path, two, inflated=2**31))


def test_a_deflate_bomb_is_refused(tmp_path: Path) -> None:
    bomb = frames.deflate(bytes(64 << 20))
    assert len(bomb) < 1 << 17
    record = frames.pack_index_record(frames.IndexRecord(0, 1, 100))
    index = b"".join(make_chunk(ARCHIVE_ID, ChunkType.INDEX, 0, record, bomb))
    footer = frames.Footer(
        archive_id=ARCHIVE_ID,
        index_chunks=1,
        index_offset=48,
        members=1,
        archive_bytes=48 + len(index) + 128,
        previous_footer=0,
        index_digest=blake3(index).digest(),
    )
    (tmp_path / "a.pha").write_bytes(frames.pack_file_header(frames.FileHeader(ARCHIVE_ID)) + index + frames.pack_footer(footer))
    del bomb
    tracemalloc.start()
    with pytest.raises(IndexCorrupt, match="do not inflate"):
        photoarc.open(tmp_path / "a.pha")
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 1 << 20


def test_nothing_hides_between_index_and_footer(tmp_path: Path) -> None:
    data = forge(tmp_path / "a.pha", [simple(b"a")]).read_bytes()
    footer = dataclasses.replace(frames.parse_footer(data[-128:]), archive_bytes=len(data) + 8)
    (tmp_path / "a.pha").write_bytes(data[:-128] + bytes(8) + frames.pack_footer(footer))
    with pytest.raises(IndexCorrupt, match="does not agree with the footer"):
        photoarc.open(tmp_path / "a.pha")


@pytest.mark.parametrize(
    ("numbers", "sizes"),
    [((0, 2, 1), (5, 5, 5)), ((0, 1, 1), (5, 5, 5)), ((0, 1, 2), (5, 5, 6)), ((0, 1, 2), (5, 5, 4)), ((0, 1, 2), (5, 9, 1))],
)
def test_parts_must_be_the_promised_ones(tmp_path: Path, numbers: tuple[int, ...], sizes: tuple[int, ...]) -> None:
    """Order, numbers and lengths; all chunks are intact. Three parts with 15 bytes together are declared."""
    member = dataclasses.replace(stored(b"a", bytes(15)), parts=3)
    data, entry = frames.pack_file_header(frames.FileHeader(ARCHIVE_ID)), pack_entry(48, pack_member(member))
    for sequence, (number, size) in enumerate(zip(numbers, sizes, strict=True)):
        kind, record = (
            (ChunkType.PART, frames.pack_part(frames.PartRecord(0, number))) if number else (ChunkType.MEMBER, pack_member(member))
        )
        data += b"".join(make_chunk(ARCHIVE_ID, kind, sequence, record, bytes(size)))
    index_record = frames.pack_index_record(frames.IndexRecord(0, 1, len(entry)))
    index = b"".join(make_chunk(ARCHIVE_ID, ChunkType.INDEX, 3, index_record, frames.deflate(entry)))
    footer = frames.Footer(
        archive_id=ARCHIVE_ID,
        index_chunks=1,
        index_offset=len(data),
        members=1,
        archive_bytes=len(data) + len(index) + 128,
        previous_footer=0,
        index_digest=blake3(index).digest(),
    )
    (tmp_path / "a.pha").write_bytes(data + index + frames.pack_footer(footer))
    good = (numbers, sizes) == ((0, 1, 2), (5, 9, 1))
    with photoarc.open(tmp_path / "a.pha") as archive:
        if good:
            assert archive.read("a") == bytes(15)
        else:
            with pytest.raises(PayloadCorrupt, match="not the one that the file record promises"):
                archive.read("a")


def test_index_and_chunk_must_agree(tmp_path: Path) -> None:
    path = forge(tmp_path / "a.pha", [simple(b"a"), simple(b"b"), simple(b"c")])
    data = path.read_bytes()
    chunk = b"".join(make_chunk(ARCHIVE_ID, ChunkType.MEMBER, 1, *simple(b"B")))
    at = 48 + len(chunk)
    path.write_bytes(data[:at] + chunk + data[at + len(chunk) :])
    with photoarc.open(path) as archive:
        with pytest.raises(PayloadCorrupt, match="b: damaged in the archive"):
            archive.read("b")
        assert archive.read("a") == archive.read("c") == b"12345678"


def test_offsets_beyond_4_gib(tmp_path: Path) -> None:
    """A sparse file: a hole of 5 GiB between two members. `b` is where only 64-bit offsets reach."""
    small = forge(tmp_path / "small.pha", [simple(b"a"), simple(b"b")]).read_bytes()
    first = 48 + len(b"".join(make_chunk(ARCHIVE_ID, ChunkType.MEMBER, 0, *simple(b"a"))))
    hole = 5 << 30
    far = forge(tmp_path / "far.pha", [simple(b"a"), simple(b"b")], offsets={1: first + hole})
    entries_at = far.read_bytes()
    index = entries_at[2 * first - 48 : -128]
    footer = frames.Footer(
        archive_id=ARCHIVE_ID,
        index_chunks=1,
        index_offset=2 * first - 48 + hole,
        members=2,
        archive_bytes=len(entries_at) + hole,
        previous_footer=0,
        index_digest=blake3(index).digest(),
    )
    path = tmp_path / "big.pha"
    with open(path, "wb") as file:
        file.write(small[:first])
        file.seek(first + hole)
        file.write(small[first : 2 * first - 48] + index + frames.pack_footer(footer))
    assert path.stat().st_blocks * 512 < 1 << 20
    with photoarc.open(path) as archive:
        assert archive.read("b") == b"12345678"
        for member in archive:
            archive.test(member)
