"""Lists of removed members, wishes of coding, chains of footers: there and back, and whatever bytes there are."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import pytest
from containers import ARCHIVE_ID, sample, stored, write
from hypothesis import given
from hypothesis import strategies as st

import photoarc
from photoarc.container import ends, frames
from photoarc.container.appending import ArchiveAppender
from photoarc.container.ends import Codings, read_ends
from photoarc.container.index import pack_removals, parse_removals
from photoarc.container.source import source_of
from photoarc.container.wishes import of_several, pack_wishes, parse_wishes
from photoarc.errors import FormatError, IndexCorrupt, LimitExceeded
from photoarc.options import CodingOptions, Mode, Tuning

REMOVED = st.lists(st.tuples(st.integers(0, 2**32 - 1), st.binary(max_size=300)), max_size=50)
HUNDREDTHS = st.integers(0, 99_00).map(lambda number: number / 100)
LOSSY = st.builds(
    CodingOptions,
    st.sampled_from([Mode.FAST, Mode.LZMA]),
    HUNDREDTHS,
    strip_gps=st.booleans(),
    min_gain_percent=HUNDREDTHS,
    recode=st.booleans(),
    effort=st.integers(0, 9),
    tuning=st.sampled_from(Tuning),
)
WISHES = LOSSY | st.builds(CodingOptions, st.just(Mode.LOSSLESS), effort=st.integers(0, 9))


@given(REMOVED)
def test_lists_of_removed_members_come_back(removed: list[tuple[int, bytes]]) -> None:
    assert parse_removals(*pack_removals(removed)) == removed


@given(REMOVED, st.data())
def test_changed_lists_parse_or_are_refused(removed: list[tuple[int, bytes]], data: st.DataObject) -> None:
    record, payload = map(bytearray, pack_removals(removed))
    for part in (record, payload):
        for _ in range(data.draw(st.integers(0, 2))):
            part[data.draw(st.integers(0, len(part) - 1))] = data.draw(st.integers(0, 255))
    del payload[data.draw(st.integers(0, len(payload))) :]
    with contextlib.suppress(FormatError, LimitExceeded):
        parse_removals(bytes(record), bytes(payload))


def test_a_bomb_is_refused_before_it_is_inflated() -> None:
    with pytest.raises(LimitExceeded):
        parse_removals(b"\1\0\0\0" + (frames.MAX_SHARD_BYTES + 1).to_bytes(4, "little"), frames.deflate(b""))


@given(WISHES)
def test_wishes_come_back(wishes: CodingOptions) -> None:
    assert parse_wishes(pack_wishes(wishes)) == wishes
    assert parse_wishes(of_several(pack_wishes(wishes))) == wishes
    assert of_several(pack_wishes(wishes)) != pack_wishes(wishes)


@given(st.binary(min_size=8, max_size=8))
def test_any_wishes_are_understood_or_not(data: bytes) -> None:
    found = parse_wishes(data)
    assert found is None or isinstance(found, CodingOptions)
    assert parse_wishes(bytes(8)) is None


def grown(path: Path, times: int) -> Path:
    write(path, sample())
    for number in range(times):
        with ArchiveAppender(path, coding=bytes([1, 1, 0, 5, number, 0, 0, 0])) as writer:
            writer.add(stored(b"%d" % number, b"data"), [b"data"])
    return path


def test_each_addition_says_how_it_was_coded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = grown(tmp_path / "a.pha", 5)
    with photoarc.open(path) as archive:
        assert [archive.coding_of(archive.info(str(number)))[4] for number in range(5)] == [0, 1, 2, 3, 4]
        assert archive.coding_of(archive.info("in/1.bin")) == bytes(8)
        assert archive.additions == 5
    assert ends.read_coding(path) == bytes([1, 1, 0, 5, 4, 0, 0, 0])
    monkeypatch.setattr(ends, "MOST_FOOTERS", 3)  # of older ones, nothing is known
    with photoarc.open(path) as archive:
        assert [archive.coding_of(archive.info(str(number)))[3:5] for number in range(5)] == [b"\0\0"] * 3 + [b"\5\3", b"\5\4"]


@pytest.mark.parametrize("previous", [8, 48, 10**9, 2**63])
def test_a_footer_that_names_no_footer(tmp_path: Path, previous: int) -> None:
    path = grown(tmp_path / "a.pha", 1)
    with contextlib.closing(source_of(path)) as source:
        footer = replace(read_ends(source).footer, previous_footer=previous)
        assert set(Codings.of(source, footer)._codings) == {footer.coding, bytes(8)}
    path.write_bytes(path.read_bytes()[: -frames.FOOTER_BYTES] + frames.pack_footer(footer))
    with photoarc.open(path) as archive:
        assert archive.read("0") == b"data"
        assert archive.coding_of(archive.info("in/1.bin")) in (bytes(8), footer.coding)


def test_a_footer_that_names_itself(tmp_path: Path) -> None:
    path = grown(tmp_path / "a.pha", 1)
    size = path.stat().st_size
    with contextlib.closing(source_of(path)) as source:
        footer = replace(read_ends(source).footer, previous_footer=size - frames.FOOTER_BYTES)
    path.write_bytes(path.read_bytes()[: -frames.FOOTER_BYTES] + frames.pack_footer(footer))
    with photoarc.open(path) as archive:
        assert archive.additions == 1


def test_a_removed_member_does_not_count_in_the_footer(tmp_path: Path) -> None:
    path = tmp_path / "a.pha"
    first = stored(b"first", b"data")
    write(path, [(first, b"data"), (replace(first, name=b"twin", duplicate=True, payload_bytes=0, parts=0), b"")], archive_id=ARCHIVE_ID)
    with ArchiveAppender(path) as writer:
        writer.remove(b"first")
    with contextlib.closing(source_of(path)) as source:
        footer = read_ends(source).footer
    assert footer.members == 1
    wrong = frames.pack_footer(replace(footer, members=2))
    path.write_bytes(path.read_bytes()[: -frames.FOOTER_BYTES] + wrong)
    with pytest.raises(IndexCorrupt, match="does not agree with the footer"):
        photoarc.open(path)
