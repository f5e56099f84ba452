"""The archive that docs/format.md section 12 spells out in bytes: read by the reader, and what the writer makes."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import pytest
from containers import ARCHIVE_ID, stored, write

import photoarc
from photoarc.container.records import pack_member
from photoarc.member import Member

FORMAT = Path(photoarc.__file__).parent.parent / "docs" / "format.md"
LINE = re.compile(r"^([0-9A-F]{4})  ((?:[0-9A-F]{2} ?)+)", re.MULTILINE)
DATA = b"hello, archive\n"
MTIME_NS = 1_700_000_000_000_000_000
CHUNK_AT, RECORD_AT, PAYLOAD_AT = 0x30, 0x60, 0xB3
INDEXED = slice(0x104, 0x14B)  # the DEFLATE stream
pytestmark = pytest.mark.skipif(not FORMAT.exists(), reason="an installed package has no docs beside it")


def example() -> bytes:
    """The bytes of the document; each line stands at the offset that it names."""
    text = FORMAT.read_text()
    section = text[text.index("\n## 12. ") : text.index("\n## 13. ")]
    data = b""
    for offset, row in LINE.findall(section):
        assert int(offset, 16) == len(data), f"line {offset}"
        data += bytes.fromhex(row)
    return data


def member() -> Member:
    return stored(b"hello.txt", DATA, mtime_ns=MTIME_NS)


def test_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "hello.pha"
    path.write_bytes(example())
    for scan in (False, True):
        with photoarc.open(path, scan=scan) as archive:
            assert list(archive) == [member()]
            assert archive.read("hello.txt") == DATA


def test_a_flip_in_the_chunk_is_found(tmp_path: Path) -> None:
    data, path = example(), tmp_path / "hello.pha"
    for at in (CHUNK_AT, CHUNK_AT + 44, RECORD_AT, PAYLOAD_AT):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with photoarc.open(path) as archive, pytest.raises(photoarc.PayloadCorrupt):
            archive.read("hello.txt")


def test_the_writer_makes_it(tmp_path: Path) -> None:
    record = pack_member(member())
    entry = CHUNK_AT.to_bytes(8, "little") + len(record).to_bytes(4, "little") + record
    encoder = zlib.compressobj(9, zlib.DEFLATED, -15)
    deflated = encoder.compress(entry) + encoder.flush()
    assert zlib.decompress(example()[INDEXED], -15) == entry
    if example()[INDEXED] != deflated:
        pytest.skip(f"zlib {zlib.ZLIB_RUNTIME_VERSION} deflates the index into other bytes")
    assert write(tmp_path / "hello.pha", [(member(), DATA)], archive_id=ARCHIVE_ID).read_bytes() == example()
