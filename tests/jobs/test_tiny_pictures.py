"""Tiny pictures, as data sets for learning have them by the thousand: they share streams, and no codec for pictures looks at each."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pictures
import pytest
from PIL import Image

import photoarc
from photoarc import codecs, pipeline
from photoarc.codecs import bitexact
from photoarc.disk.scan import scan
from photoarc.jobs import coding
from photoarc.jobs.pack import pack
from photoarc.jobs.unpack import unpack
from photoarc.options import CodingOptions, Mode, PackOptions, UnpackOptions
from photoarc.pictures.size import is_tiny, picture_size
from photoarc.pipeline import Small

KINDS = ((".jpg", "JPEG"), (".PNG", "PNG"), (".bmp", "BMP"), (".tif", "TIFF"), (".webp", "WEBP"), (".ppm", "PPM"), ("", "JPEG"))
SCENE = pictures.photo(400, 300)


def crop(number: int, side: int, kind: str) -> bytes:
    x, y = 37 * number % (400 - side), 53 * number % (300 - side)
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(SCENE[y : y + side, x : x + side])).save(file, kind)
    return file.getvalue()


def write(folder: Path, count: int, side: int = 32) -> dict[str, bytes]:
    """COUNT pictures of each kind; returns their contents by name in the archive."""
    folder.mkdir()
    contents = {f"{number:03}{ending}": crop(number, side, kind) for number in range(count) for ending, kind in KINDS}
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return {f"{folder.name}/{name}": data for name, data in contents.items()}


@pytest.mark.parametrize("mode", [Mode.LOSSLESS, Mode.FAST])
def test_they_share_streams_and_come_back(tmp_path: Path, mode: Mode, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = write(tmp_path / "in", 20)
    monkeypatch.setattr(bitexact, "code", lambda data, effort: pytest.fail("a codec was asked about a tiny picture"))
    done = pack([tmp_path / "in"], tmp_path / "out.pha", PackOptions(CodingOptions(mode), workers=0))
    assert (done.failures, done.warnings) == ((), ())
    for scanned in (False, True):
        with photoarc.open(tmp_path / "out.pha", scan=scanned) as archive:
            found = {member.display_name: member for member in archive if member.kind == 0}
            assert {name: archive.read(member) for name, member in found.items()} == contents
            assert {member.codec_id for member in found.values()} == {codecs.SOLID}
            assert archive.image("in/003.jpg").size == (32, 32)
    assert unpack(tmp_path / "out.pha", tmp_path / "to", UnpackOptions(workers=0)).failures == ()
    assert {f"in/{path.name}": path.read_bytes() for path in (tmp_path / "to" / "in").iterdir()} == contents


def test_the_archive_is_smaller_than_of_each_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = write(tmp_path / "in", 20)
    options = PackOptions(CodingOptions(Mode.LOSSLESS, effort=0), workers=0)
    together = pack([tmp_path / "in"], tmp_path / "out.pha", options).archive_bytes
    monkeypatch.setattr(coding, "MAX_SMALL_BYTES", -1)
    alone = pack([tmp_path / "in"], tmp_path / "alone.pha", options).archive_bytes
    assert together < 0.75 * alone
    assert together < 0.75 * sum(map(len, contents.values()))


def test_the_workers_do_not_matter(tmp_path: Path) -> None:
    write(tmp_path / "in", 20)
    for number in range(3):
        (tmp_path / "in" / f"large {number}.jpg").write_bytes(bytes(range(1, 256)) * 5000)
    for workers in (0, 2):
        pack([tmp_path / "in"], tmp_path / f"{workers}.pha", PackOptions(CodingOptions(Mode.LOSSLESS), workers=workers))
    assert (tmp_path / "0.pha").read_bytes() == (tmp_path / "2.pha").read_bytes()


def test_batches_hold_tiny_pictures_of_one_ending_side_by_side(tmp_path: Path) -> None:
    write(tmp_path / "in", 3)
    (tmp_path / "in" / "photo.jpg").write_bytes(pictures.jpeg(SCENE))
    (tmp_path / "in" / "wide.png").write_bytes(pictures.png(SCENE[:30, :200]))
    (tmp_path / "in" / "no picture.jpg").write_bytes(b"text")
    files, _ = scan([tmp_path / "in"])
    found = coding.plan(files)
    batch = found[-1]
    assert isinstance(batch, coding.Batch)
    endings = [file.name[6:].lower() for file in batch.files]
    assert endings == sorted(endings)
    assert len(endings) == 21
    single = [item.name for item in found[:-1] if not isinstance(item, coding.Batch)]
    assert {b"in/photo.jpg", b"in/wide.png", b"in/no picture.jpg"} < set(single)


@pytest.mark.parametrize(
    ("data", "tiny"),
    [
        (crop(1, 64, "PNG"), True),
        (crop(1, 64, "BMP"), True),
        (crop(1, 65, "PNG"), False),
        (crop(1, 100, "JPEG"), True),  # in less than 4 KiB
        (pictures.jpeg(SCENE[:128, :128], quality=5), False),  # may be a photograph, however few its bytes
        (crop(1, 32, "JPEG") + bytes(20_000), False),  # more behind it than pixels
        (b"text", False),
    ],
)
def test_what_is_tiny(data: bytes, tiny: bool) -> None:
    assert is_tiny(picture_size(io.BytesIO(data)), len(data)) is tiny


def test_a_few_are_tried_alone() -> None:
    few = [Small(crop(number, 64, "BMP")) for number in range(2)]
    together = pipeline.encode_small(few, CodingOptions(Mode.LOSSLESS))
    assert {file.codec_id for file in together.files} == {codecs.RASTER}


def test_what_has_no_room_in_the_group_is_coded_alone() -> None:
    files = [Small(crop(number, 16, "PNG"), may_share=number > 0) for number in range(18)]
    together = pipeline.encode_small(files, CodingOptions(Mode.LOSSLESS))
    assert [file.codec_id == codecs.SOLID for file in together.files] == [False] + [True] * 17


def test_places_in_them_are_said() -> None:
    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: (47.0, 1.0, 2.0), 3: "E", 4: (8.0, 1.0, 2.0)}
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(SCENE[:32, :32])).save(file, "JPEG", exif=exif)
    files = [Small(file.getvalue()), *(Small(crop(number, 32, "JPEG")) for number in range(16))]
    together = pipeline.encode_small(files, CodingOptions(Mode.FAST, strip_gps=True))
    assert [one.holds_place for one in together.files] == [True] + [False] * 16
    assert {one.note for one in together.files} == {pipeline.TINY}
