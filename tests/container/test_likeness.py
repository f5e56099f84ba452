"""Pictures that differ in their metadata only: the piece that differs is stored, all come back, damage is named."""

import contextlib
import dataclasses
import json
import os
import random
from pathlib import Path

import pictures
import pytest
from containers import stored, write
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import photoarc
from photoarc import codecs
from photoarc.cli import app
from photoarc.container.likeness import Likenesses, _alike
from photoarc.container.records import pack_member, parse_member
from photoarc.container.writer import ArchiveWriter
from photoarc.errors import FormatError, MemberError, PayloadCorrupt, PhotoarcError
from photoarc.jobs.pack import pack
from photoarc.jobs.test import test as check
from photoarc.jobs.unpack import unpack
from photoarc.member import Member, Shared
from photoarc.options import CodingOptions, Mode, PackOptions, UnpackOptions

PLAIN = pictures.jpeg(pictures.photo(256, 192, noise=2), quality=90)


def commented(text: bytes) -> bytes:
    """The same picture with a comment."""
    return PLAIN[:2] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + PLAIN[2:]


FILES = {"a.jpg": PLAIN, "b.jpg": commented(b"five stars"), "c.jpg": commented(b"Sylt, " * 9), "d.jpg": commented(b"five stars")}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, data in FILES.items():
        path = tmp_path / "photos" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    return tmp_path


@pytest.mark.parametrize("mode", [Mode.LOSSLESS, Mode.FAST, Mode.LZMA])
def test_only_the_piece_that_differs_is_stored(folder, mode):
    done = pack(
        ["photos"], "out.pha", PackOptions(CodingOptions.asked(mode, min_gain_percent=None if mode == Mode.LOSSLESS else 0), workers=0)
    )
    with photoarc.open("out.pha") as archive:
        found = {member.display_name[7:]: member for member in archive}
        assert (found["a.jpg"].photo is None) is (mode is Mode.LOSSLESS)
        payloads = {name: archive.payload(member) for name, member in found.items()}
    assert [name for name, member in found.items() if member.shared] == ["b.jpg", "c.jpg"]
    assert found["d.jpg"].duplicate  # of b, of which only a piece is there
    assert done.alike == 2
    assert found["b.jpg"].payload_bytes < 0.1 * found["a.jpg"].payload_bytes
    assert payloads["b.jpg"] == payloads["d.jpg"] != payloads["a.jpg"]
    alike = [["photos/a.jpg", "photos/b.jpg", "photos/c.jpg"]]
    shown = CliRunner().invoke(app.app, ["dups", "out.pha"]).output
    assert "3 files alike but for a piece (metadata, as a rule):\n  photos/a.jpg\n  photos/b.jpg\n  photos/c.jpg\n" in shown
    assert [group["names"] for group in json.loads(CliRunner().invoke(app.app, ["dups", "out.pha", "--json"]).output)["alike"]] == alike
    assert check("out.pha", 1).failures == ()
    unpack("out.pha", "copy", UnpackOptions(workers=0))
    for name, data in FILES.items():
        back = Path("copy/photos", name).read_bytes()
        assert back == data if mode is Mode.LOSSLESS else b"five stars" in back or name in ("a.jpg", "c.jpg")


def test_damage_to_the_first_is_named_for_those_that_share(folder):
    pack(["photos"], "out.pha", PackOptions(CodingOptions(Mode.LOSSLESS), workers=0))
    data = bytearray(Path("out.pha").read_bytes())
    with photoarc.open("out.pha") as archive:
        first = next(member for member in archive if member.display_name == "photos/a.jpg")
        payload = archive.payload(first)
    data[data.index(payload) + len(payload) // 2] ^= 1
    Path("out.pha").write_bytes(data)
    failures = check("out.pha", 1).failures
    assert {failure.name for failure in failures} == {f"photos/{name}" for name in FILES}
    assert any("most of it was stored with photos/a.jpg" in failure.reason for failure in failures)


def test_scanning_loses_what_shares_with_a_lost_member(folder):
    pack(["photos"], "out.pha", PackOptions(CodingOptions(Mode.LOSSLESS), workers=0))
    data = bytearray(Path("out.pha").read_bytes())
    data[data.index(b"photos/a.jpg")] ^= 1  # its record
    Path("out.pha").write_bytes(data)
    with photoarc.open("out.pha", scan=True) as archive:
        assert not [member for member in archive if member.display_name.endswith(".jpg")]
        assert {error.name for error in archive.damaged} >= {"photos/b.jpg", "photos/c.jpg", "photos/d.jpg"}


def test_bases_are_whole(tmp_path):
    """A payload like one that is itself a piece is a piece of the same whole one: reading never follows a chain."""
    head, tail = os.urandom(4000), os.urandom(4000)
    payloads = [head + tail, b"1" + head + tail, b"22" + head + tail]
    path = tmp_path / "out.pha"
    with ArchiveWriter(path, archive_id=bytes(16)) as writer:
        whole = [
            dataclasses.replace(member(f"{number}", payload), digest=bytes([number]) * 32, codec_id=codecs.LZMA)
            for number, payload in enumerate(payloads)
        ]
        written = [writer.add_coded(one, payload) for one, payload in zip(whole, payloads, strict=True)]
    assert [one.shared and one.shared.digest[0] for one in written] == [None, 0, 0]
    with photoarc.open(path) as archive:
        assert [archive.payload(one) for one in archive] == payloads


def member(name: str, payload: bytes) -> Member:
    """A record of one part; its digest is nobody's."""
    return dataclasses.replace(stored(name.encode(), payload), digest=bytes(32))


@pytest.mark.parametrize(
    ("shared", "reason"),
    [
        (Shared(b"\1" * 32, 0, 5), "lost"),
        (Shared(bytes(32), 9, 2), "takes 9 and 2 bytes of a payload that has 10"),
        (Shared(b"\2" * 32, 0, 1), "lost"),
    ],
)
def test_what_cannot_be_taken_from_another_is_damage(tmp_path, shared, reason):
    """No such member; fewer bytes there; a member that shares itself."""
    base = member("base", b"0123456789")
    other = dataclasses.replace(member("other", b"x"), shared=shared, digest=b"\2" * 32)
    path = tmp_path / "out.pha"
    write(path, [(base, b"0123456789"), (other, b"x")])
    with photoarc.open(path) as archive, pytest.raises(PayloadCorrupt, match=reason):
        archive.payload(other)


def test_flipped_bytes_never_give_a_wrong_file(tmp_path):
    """1,000 of them, by index and by scan: what comes back is what was packed; a byte costs one member, or all that share its payload."""
    rng = random.Random(7)
    body = rng.randbytes(2000)
    contents = {b"first": b"old" + body, b"rated": b"new, longer" + body, b"other": rng.randbytes(300)}
    path = tmp_path / "out.pha"
    with ArchiveWriter(path, archive_id=bytes(16)) as writer:
        written = [writer.add_coded(stored(name, data), data) for name, data in contents.items()]
    assert [bool(one.shared) for one in written] == [False, True, False]
    good = path.read_bytes()
    for _ in range(1000):
        data = bytearray(good)
        data[rng.randrange(len(good))] ^= rng.randrange(1, 256)
        path.write_bytes(data)
        for scan in (False, True):
            lost = set(contents)
            with contextlib.suppress(PhotoarcError), photoarc.open(path, scan=scan) as archive:
                for one in archive:
                    with contextlib.suppress(MemberError):
                        assert archive.read(one) == contents[one.name]
                        lost.discard(one.name)
                assert lost in (set(), {b"first", b"rated"}, {b"rated"}, {b"other"})


@pytest.mark.parametrize("change", [{"duplicate": True, "payload_bytes": 0, "parts": 0}, {"parts": 2}, {"grouped": True, "parts": 0}])
def test_records_that_contradict_themselves_are_refused(change):
    one = dataclasses.replace(member("x", b"12"), shared=Shared(bytes(32), 1, 1), **change)
    with pytest.raises(FormatError, match="shares a payload"):
        parse_member(pack_member(one))


def test_a_common_end_alone_is_not_enough():
    """Padding, a watermark's film: less than half of the payload."""
    end = os.urandom(1100)
    first, second = os.urandom(3000) + end, os.urandom(3000) + end
    likenesses = Likenesses(lambda _: first)
    likenesses.remember(bytes(32), codecs.LZMA, first, 0)
    assert likenesses.find(codecs.LZMA, second) is None
    assert likenesses.find(codecs.STORE, first) is None


@given(st.binary(max_size=40), st.binary(max_size=40), st.binary(max_size=40))
def test_common_start(start, a, b):
    size = min(len(a), len(b))
    x, y = start + a[:size], start + b[:size]
    expected = next((i for i, (p, q) in enumerate(zip(x, y, strict=True)) if p != q), len(x))
    assert _alike(x, y) == expected
