"""`photoarc repair`: copies without recovery data, what is said, and that nothing else is touched."""

import random

import pytest
from containers import ARCHIVE_ID, stored
from typer.testing import CliRunner

from photoarc import pack
from photoarc.cli import app
from photoarc.container.appending import ArchiveAppender
from photoarc.container.ends import read_ends
from photoarc.container.source import source_of
from photoarc.container.writer import ArchiveWriter
from photoarc.errors import UsageError
from photoarc.jobs.compact import compact
from photoarc.jobs.repair import repair


@pytest.fixture
def whole(tmp_path):
    rng = random.Random(4)
    with ArchiveWriter(tmp_path / "a.pha", archive_id=ARCHIVE_ID) as writer:
        for number in range(30):
            data = rng.randbytes(2000)
            writer.add(stored(b"f%d" % number, data), [data])
    return (tmp_path / "a.pha").read_bytes()


def spoilt(data, *spans):
    made = bytearray(data)
    for start, end in spans:
        made[start:end] = bytes(end - start)
    return bytes(made)


@pytest.mark.parametrize(
    ("first", "second", "lost"),
    [
        ([(0, 100)], [(5000, 9000)], 0),
        ([(5000, 9000), (40_000, 41_000)], [(0, 48)], 0),
        ([(20_000, 20_100)], [(20_200, 20_300)], 1),  # in the same chunk
    ],
)
def test_two_copies_damaged_in_different_places(whole, tmp_path, first, second, lost):
    (tmp_path / "b.pha").write_bytes(spoilt(whole, *first))
    (tmp_path / "c.pha").write_bytes(spoilt(whole, *second))
    done = repair([tmp_path / "b.pha", tmp_path / "c.pha"], tmp_path / "out.pha")
    made = (tmp_path / "out.pha").read_bytes()
    assert len(made) == len(whole)
    assert (done.lost, made == whole, done.opens) == (lost, not lost, True)
    assert done.damaged > 0


def test_a_copy_that_was_cut(whole, tmp_path):
    (tmp_path / "b.pha").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "c.pha").write_bytes(spoilt(whole, (0, 3000)))
    assert repair([tmp_path / "b.pha", tmp_path / "c.pha"], tmp_path / "out.pha").lost == 0
    assert (tmp_path / "out.pha").read_bytes() == whole


def test_without_recovery_data_or_copies(whole, tmp_path):
    (tmp_path / "b.pha").write_bytes(spoilt(whole, (500, 600)))
    with pytest.raises(UsageError, match="holds no recovery data; photoarc unpack gives back"):
        repair([tmp_path / "b.pha"], tmp_path / "out.pha")
    assert not (tmp_path / "out.pha").exists()


def test_copies_of_another_archive_are_refused(whole, tmp_path):
    with ArchiveWriter(tmp_path / "c.pha", archive_id=bytes(16)):
        pass
    (tmp_path / "b.pha").write_bytes(whole)
    with pytest.raises(UsageError, match="is another archive than"):
        repair([tmp_path / "b.pha", tmp_path / "c.pha"], tmp_path / "out.pha")


def test_the_damaged_one_is_never_replaced(whole, tmp_path):
    (tmp_path / "link.pha").symlink_to("a.pha")
    for name in ("a.pha", "link.pha"):
        with pytest.raises(UsageError, match="stays as it is"):
            repair([tmp_path / "a.pha"], tmp_path / name, force=True)
    assert (tmp_path / "a.pha").read_bytes() == whole


def test_by_the_command(tmp_path):
    rng = random.Random(8)
    (tmp_path / "in").mkdir()
    for number in range(9):
        (tmp_path / f"in/{number}.bin").write_bytes(rng.randbytes(70_000))
    args = ["pack", str(tmp_path / "in"), str(tmp_path / "a.pha"), "--recovery", "5", "-j", "0"]
    assert CliRunner().invoke(app.app, args).exit_code == 0
    whole = (tmp_path / "a.pha").read_bytes()
    pack([tmp_path / "in"], tmp_path / "same.pha", recovery_percent=5, workers=0)
    assert (tmp_path / "same.pha").read_bytes() == whole

    def run(*args):
        return CliRunner().invoke(app.app, ["repair", str(tmp_path / "a.pha"), str(tmp_path / "out.pha"), *args])

    told = CliRunner().invoke(app.app, ["info", str(tmp_path / "a.pha")]).output
    assert "recovery  up to 5 % of it may be lost in one place" in told
    found = run()
    assert (found.exit_code, "is whole: nothing to repair" in found.output) == (0, True)
    (tmp_path / "a.pha").write_bytes(spoilt(whole, (100_000, 120_000)))
    found = run()
    assert (found.exit_code, "mended" in found.output, "photoarc test" in found.output) == (0, True, True)
    assert (tmp_path / "out.pha").read_bytes() == whole
    assert run().exit_code == 2  # exists
    (tmp_path / "a.pha").write_bytes(spoilt(whole, (100_000, 300_000)))
    found = run("--force")
    assert (found.exit_code, "could not be mended: photoarc unpack" in found.output) == (1, True)


def test_compact_gives_an_archive_recovery_data(whole, tmp_path):
    def footer():
        source = source_of(tmp_path / "a.pha")
        try:
            return read_ends(source).footer
        finally:
            source.close()

    assert compact(tmp_path / "a.pha").after_bytes == len(whole)
    done = compact(tmp_path / "a.pha", recovery_percent=5)
    with_data = (tmp_path / "a.pha").read_bytes()
    assert (done.before_bytes, done.after_bytes, footer().recovery_percent) == (len(whole), len(with_data), 5)
    (tmp_path / "b.pha").write_bytes(spoilt(with_data, (10_000, 12_000)))
    repair([tmp_path / "b.pha"], tmp_path / "out.pha")
    assert (tmp_path / "out.pha").read_bytes() == with_data
    with ArchiveAppender(tmp_path / "a.pha") as writer:
        writer.remove(b"f0")
    assert footer().recovery_percent == 5
    compact(tmp_path / "a.pha")
    assert footer().recovery_percent == 5
    compact(tmp_path / "a.pha", recovery_percent=0)
    assert footer().recovery_percent == 0


@pytest.mark.parametrize("percent", [-1, 51, "5", float("nan")])
def test_no_such_share(percent, tmp_path):
    with pytest.raises(UsageError, match="recovery"):
        pack([tmp_path], tmp_path / "out.pha", recovery_percent=percent)
