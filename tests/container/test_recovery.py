"""Recovery data: every kind of damage up to the promised share comes back byte for byte; more than that is said."""

import random

import pytest
from containers import ARCHIVE_ID, stored
from crashes import every_crash

import photoarc
from photoarc.container import recovery_layout
from photoarc.container.appending import ArchiveAppender
from photoarc.container.frames import FOOTER_BYTES, ChunkType
from photoarc.container.recovery_layout import RecoveryRecord, pack_recovery, parse_recovery, plan
from photoarc.container.writer import ArchiveWriter
from photoarc.errors import FormatError, UsageError
from photoarc.jobs.repair import repair

SIZES = {"small": 50, "one codeword": 2500, "several codewords": 30_000}


def pack(path, size_bytes, percent=5.0, files=40):
    rng = random.Random(size_bytes)
    with ArchiveWriter(path, archive_id=ARCHIVE_ID, recovery_percent=percent) as writer:
        for number in range(files):
            data = rng.randbytes(size_bytes)
            writer.add(stored(b"f%d" % number, data), [data])
    return path.read_bytes()


@pytest.fixture(scope="module", params=SIZES, ids=SIZES.keys())
def whole(request, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recovery_layout, "BLOCK_BYTES_MAX", 1 << 12)
        return pack(tmp_path_factory.mktemp("whole") / "a.pha", SIZES[request.param])


def damaged(kind, whole, rng, share=0.05):
    count = rng.randrange(1, int(len(whole) * share))
    at = rng.choice([0, len(whole) - count, rng.randrange(len(whole) - count)])
    before, lost, behind = whole[:at], whole[at : at + count], whole[at + count :]
    between = {"zeros": bytes(count), "noise": rng.randbytes(count), "missing": b"", "doubled": lost * 2}
    return before + between[kind] + behind


@pytest.mark.parametrize("kind", ["zeros", "noise", "missing", "doubled"])
def test_a_run_comes_back(whole, kind, tmp_path):
    rng = random.Random(kind)
    for _ in range(8):
        data = damaged(kind, whole, rng)
        (tmp_path / "b.pha").write_bytes(data)
        done = repair([tmp_path / "b.pha"], tmp_path / "out.pha", force=True)
        assert done.damaged
        assert not done.lost
        assert done.opens
        assert (tmp_path / "out.pha").read_bytes() == whole
        assert (tmp_path / "b.pha").read_bytes() == data


def test_single_bytes_come_back(whole, tmp_path):
    rng = random.Random(1)
    for at in [0, 60, len(whole) - 1, *rng.sample(range(len(whole)), 20)]:
        data = bytearray(whole)
        data[at] ^= 1 << rng.randrange(8)
        (tmp_path / "b.pha").write_bytes(data)
        assert repair([tmp_path / "b.pha"], tmp_path / "out.pha", force=True).damaged >= 1
        assert (tmp_path / "out.pha").read_bytes() == whole


def test_what_is_whole_is_left(whole, tmp_path):
    (tmp_path / "b.pha").write_bytes(whole)
    done = repair([tmp_path / "b.pha"], tmp_path / "out.pha")
    assert (done.out, done.damaged, done.lost, done.opens) == ("", 0, 0, True)
    assert [path.name for path in tmp_path.iterdir()] == ["b.pha"]


def test_bytes_behind_the_end_go(whole, tmp_path):
    (tmp_path / "b.pha").write_bytes(whole + b"appended")
    assert repair([tmp_path / "b.pha"], tmp_path / "out.pha").damaged == 1
    assert (tmp_path / "out.pha").read_bytes() == whole


def test_too_much_damage_is_said_and_the_rest_comes_back(tmp_path):
    whole = pack(tmp_path / "a.pha", 30_000)
    cut = whole[: len(whole) // 2] + bytes(len(whole) // 5) + whole[len(whole) // 2 + len(whole) // 5 :]
    (tmp_path / "b.pha").write_bytes(cut)
    done = repair([tmp_path / "b.pha"], tmp_path / "out.pha")
    assert 0 < done.lost <= done.damaged
    with photoarc.open(tmp_path / "out.pha") as archive:
        sound = 0
        for member in archive:
            try:
                archive.read(member)
                sound += 1
            except photoarc.PhotoarcError:
                pass
    assert 25 <= sound < 40


def test_two_copies_of_which_neither_would_do(tmp_path):
    whole = pack(tmp_path / "a.pha", 30_000)
    third = len(whole) // 3
    (tmp_path / "b.pha").write_bytes(bytes(third) + whole[third:])
    (tmp_path / "c.pha").write_bytes(whole[: 2 * third])
    assert repair([tmp_path / "b.pha", tmp_path / "c.pha"], tmp_path / "out.pha").lost == 0
    assert (tmp_path / "out.pha").read_bytes() == whole


def test_an_archive_in_an_archive_is_no_recovery_data_of_the_outer_one(tmp_path):
    inner = pack(tmp_path / "a.pha", 3000, files=5)
    with ArchiveWriter(tmp_path / "b.pha", archive_id=bytes(16), recovery_percent=5) as writer:
        writer.add(stored(b"a.pha", inner), [inner])
        writer.add(stored(b"other", b"x" * 50_000), [b"x" * 50_000])
    whole = (tmp_path / "b.pha").read_bytes()
    at = whole.index(inner) + len(inner) // 2
    (tmp_path / "c.pha").write_bytes(whole[:at] + bytes(1000) + whole[at + 1000 :])
    assert repair([tmp_path / "c.pha"], tmp_path / "out.pha").lost == 0
    assert (tmp_path / "out.pha").read_bytes() == whole


def test_an_archive_that_grows_keeps_its_share(tmp_path):
    """Each addition has recovery data of its own; a run may lie anywhere, also over an old footer."""
    pack(tmp_path / "a.pha", 3000)
    sizes = [len((tmp_path / "a.pha").read_bytes())]
    rng = random.Random(6)
    for number in range(3):
        with ArchiveAppender(tmp_path / "a.pha") as writer:
            data = rng.randbytes(60_000)
            writer.add(stored(b"new %d" % number, data), [data])
        sizes.append((tmp_path / "a.pha").stat().st_size)
    whole = (tmp_path / "a.pha").read_bytes()
    for middle in [*sizes[:3], 0, sizes[3], rng.randrange(sizes[3])]:
        start = min(max(middle - 1500, 0), sizes[3] - 3000)
        (tmp_path / "b.pha").write_bytes(whole[:start] + bytes(3000) + whole[start + 3000 :])
        assert repair([tmp_path / "b.pha"], tmp_path / "out.pha", force=True).lost == 0
        assert (tmp_path / "out.pha").read_bytes() == whole
    for kind in ("missing", "doubled"):
        (tmp_path / "b.pha").write_bytes(damaged(kind, whole, rng, 0.01))
        assert repair([tmp_path / "b.pha"], tmp_path / "out.pha", force=True).lost == 0
        assert (tmp_path / "out.pha").read_bytes() == whole


@pytest.mark.parametrize("torn", [False, True])
def test_a_crash_while_recovery_data_are_added(tmp_path, monkeypatch, torn):
    pack(tmp_path / "a.pha", 300)
    before = (tmp_path / "a.pha").read_bytes()
    for disk in every_crash(monkeypatch, torn=torn):
        (tmp_path / "a.pha").write_bytes(before)
        with disk, ArchiveAppender(tmp_path / "a.pha") as writer:
            writer.add(stored(b"new", b"new"), [b"new"])
        for cut in (False, True):
            if cut:
                disk.cut_power(tmp_path / "a.pha", before, zeros=True)
            with photoarc.open(tmp_path / "a.pha") as archive:
                names = archive.names()
                assert names in ([f"f{n}" for n in range(40)], [*(f"f{n}" for n in range(40)), "new"])
                assert all(archive.read(name) for name in names)


@pytest.mark.parametrize("percent", [0.5, 1, 3, 5, 10, 50])
@pytest.mark.parametrize("size_bytes", [1, 1000, 70_000, 1_000_000, 16_777_216, 10**9, 10**12])
def test_a_plan_keeps_its_promise(size_bytes, percent):
    layout = plan(0, 48 + size_bytes, 500, percent)
    assert layout.data_blocks + layout.parity_blocks <= 256
    assert layout.end == 48 + size_bytes + 500 + layout.codewords * layout.parity_blocks * layout.chunk_bytes
    run = layout.end * percent / 100
    assert layout.parity_blocks >= -(-(run / layout.block_bytes + 2) // layout.codewords)
    assert size_bytes < 10**9 or (layout.resume - layout.gap) / layout.end < percent / 100 * 1.06 + 0.003
    record = RecoveryRecord(layout, layout.codewords - 1, layout.parity_blocks - 1, bytes(4 * layout.data_blocks))
    assert parse_recovery(pack_recovery(record)) == record


def test_pieces_are_the_protected_bytes_in_order():
    layout = plan(48, 10_000, 300, 5)
    pieces = [piece for block in range(layout.blocks + 3) for piece in layout.pieces(block)]
    covered = [offset + n for offset, count in pieces for n in range(count)]
    assert covered == [*range(48, 10_000), *range(layout.resume, layout.end)]


def test_records_that_contradict_themselves_are_refused():
    layout = plan(0, 10_000, 300, 5)
    sound = pack_recovery(RecoveryRecord(layout, 0, 0, bytes(4 * layout.data_blocks)))
    rng = random.Random(2)
    refused = 0
    for _ in range(300):
        data = bytearray(sound)
        data[rng.randrange(50)] ^= 1 << rng.randrange(8)
        try:
            parse_recovery(bytes(data))
        except FormatError:
            refused += 1
    assert refused > 200
    for end in range(len(sound)):
        with pytest.raises(FormatError):
            parse_recovery(sound[:end])


def test_without_recovery_data_the_bytes_are_as_before(tmp_path):
    plain, with_data = pack(tmp_path / "a.pha", 500, 0), pack(tmp_path / "b.pha", 500, 5)
    members = len(plain) - FOOTER_BYTES - 2000
    assert plain[:members] == with_data[:members]
    with photoarc.open(tmp_path / "b.pha") as archive:
        assert len(archive) == 40
        assert not archive.warnings
    with photoarc.open(tmp_path / "b.pha", scan=True) as archive:
        assert len(archive) == 40


def test_made_up_recovery_data_take_no_memory(tmp_path):
    """A set that claims 10^15 bytes, in a small file."""
    layout = plan(0, 10**15, 500, 1)
    record = pack_recovery(RecoveryRecord(layout, 0, 0, bytes(4 * layout.data_blocks)))
    with ArchiveWriter(tmp_path / "a.pha", archive_id=ARCHIVE_ID) as writer:
        writer._chunk(ChunkType.RECOVERY, record, bytes(layout.block_bytes))
    with pytest.raises(UsageError, match="holds no recovery data"):
        repair([tmp_path / "a.pha"], tmp_path / "out.pha")
