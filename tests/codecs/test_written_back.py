"""What is accepted as a photograph can be written back, in its format, under its name, beside all the others; the rest is bit-exact."""

import numpy as np
import pictures
import pytest
from typer.testing import CliRunner

import photoarc
from photoarc import pipeline
from photoarc.cli import app
from photoarc.disk import scan
from photoarc.disk.targets import no_room_as_jpeg
from photoarc.errors import PayloadError
from photoarc.jobs.pack import pack
from photoarc.jobs.test import test as check
from photoarc.jobs.unpack import unpack
from photoarc.member import SourceFormat
from photoarc.options import CodingOptions, Mode, PackOptions, UnpackOptions
from photoarc.pictures import image
from photoarc.pictures.jpeg import settings
from photoarc.pipeline import encode_file

PHOTO = pictures.photo(256, 192)
RECODE = CodingOptions(quality=60, min_gain_percent=0, recode=True)


def jxl(pixels=PHOTO, **options):
    """JPEG XL file; only with pyjpegxl is it a source."""
    return bytes(pytest.importorskip("pyjpegxl").encode_from_numpy(pixels, **options))


def rgb_jpeg(factors):
    """JPEG of R, G, B with fewer samples of the second and third than of the first: by Pillow as Y, Cb, Cr, marked by Adobe's segment."""
    body = b"Adobe" + bytes([0, 100, 0, 0, 0, 0, 0])
    coded = pictures.jpeg(PHOTO, quality=97, subsampling=factors)
    without_jfif = coded[:2] + coded[4 + int.from_bytes(coded[4:6], "big") :]
    return without_jfif[:2] + b"\xff\xee" + (len(body) + 2).to_bytes(2, "big") + body + without_jfif[2:]


@pytest.mark.parametrize("mode", [Mode.FAST, Mode.LZMA])
@pytest.mark.parametrize("factors", [0, 1, 2])
def test_rgb_jpeg_of_any_sampling(factors, mode):
    data = rgb_jpeg(factors)
    photo = image.photograph(data)
    assert settings.unpack(photo.writer).rgb
    assert settings.unpack(photo.writer).sampling == factors
    encoded = encode_file(data, CodingOptions(mode, 60, min_gain_percent=0))
    if encoded.photo is None:
        assert "too far" in encoded.note  # its colours are those of another picture
    written = image.write(photo)
    assert np.mean((image.photograph(written).pixels.astype(float) - photo.pixels) ** 2) < 65025 / 10**4.5


def test_sizes_that_formats_do_not_have(capfd):
    wide = np.repeat(pictures.photo(128, 64), 513, axis=1)
    assert "JPEG" in image.photograph(jxl(wide), recode=True).upper()
    photo = image.Photograph(wide, None, SourceFormat.PNG, b"", b"")
    assert image.write(photo)[:4] == b"\x89PNG"
    for target, most in (("jpeg", "65,500"), ("webp", "16,383")):
        with pytest.raises(PayloadError, match=most):
            image.write(photo, target)
    assert not capfd.readouterr().err


def test_what_cannot_be_written_is_kept(monkeypatch):
    def refuse(*_, **__):
        raise PayloadError("no room")

    monkeypatch.setattr(image, "write", refuse)
    data = pictures.png(PHOTO)
    kept = encode_file(data, CodingOptions())
    assert (kept.photo, kept.note) == (None, "could not be written back: no room")
    assert pipeline.decode_payload("x.png", kept.codec_id, kept.payload, kept.size_bytes, kept.digest) == data


def test_which_names_have_no_room():
    long, longer = b"d/" + b"x" * 247 + b".jxl", b"d/" + b"x" * 248 + b".jxl"
    names = [b"d", b"d/a.jxl", b"d/a.jxl.jpg", b"d/b.jxl", b"d/c.png", b"d/c.webp", b"d/e.heic", b"d/e.heic.jpg", long, longer]
    files = [name for name in names if name not in (b"d", b"d/e.heic.jpg")]  # a folder has that name
    found = no_room_as_jpeg(names, files)
    assert sorted(found) == sorted([b"d/a.jxl", b"d/c.png", b"d/c.webp", b"d/e.heic", longer])
    assert "255" in found[longer]
    assert "another file" in found[b"d/a.jxl"]


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "in"
    made.mkdir()
    return made


def test_two_that_would_have_one_name(folder, tmp_path):
    (folder / "x.jxl").write_bytes(jxl())
    (folder / "x.jxl.jpg").write_bytes(pictures.jpeg(PHOTO[::-1].copy(), quality=97))
    done = pack([folder], tmp_path / "out.pha", PackOptions(RECODE, workers=0))
    assert dict(done.kept_reasons) == {"unpacked as JPEG, it would have the name of another file": 1}
    assert check(tmp_path / "out.pha", 0).failures == ()
    for as_format in (None, "png", "jpeg", "webp"):
        assert unpack(tmp_path / "out.pha", tmp_path / f"to {as_format}", UnpackOptions(as_format=as_format, workers=0)).failures == ()
    assert (tmp_path / "to None/in/x.jxl").read_bytes() == jxl()


@pytest.mark.parametrize("length", [251, 252, 255])
def test_long_names_and_deletion(folder, tmp_path, length):
    name = "n" * (length - 4) + ".jxl"
    (folder / name).write_bytes(jxl())
    args = ["pack", str(folder), str(tmp_path / "out.pha"), "--recode", "--min-gain", "0", "--quality", "60", "-j", "0"]
    ran = CliRunner().invoke(app.app, [*args, "--delete-after-verify", "--delete-lossy", "--yes"])
    assert ran.exit_code == 0, ran.output
    assert list(folder.iterdir()) == []
    assert unpack(tmp_path / "out.pha", tmp_path / "to", UnpackOptions(workers=0)).failures == ()
    (found,) = (tmp_path / "to/in").iterdir()
    assert found.name == name + ".jpg" * (length == 251)
    assert length == 251 or found.read_bytes() == jxl()


def test_a_twin_whose_name_has_no_room(folder, tmp_path):
    """The first has its payload already, as a photograph; the second cannot be that."""
    data = jxl(lossless=True)
    for name in ("a.jxl", "b" * 251 + ".jxl", "c.jxl"):
        (folder / name).write_bytes(data)
    pack([folder], tmp_path / "out.pha", PackOptions(RECODE, workers=0))
    with photoarc.open(tmp_path / "out.pha") as archive:
        assert [member.lossy for member in archive][1:] == [True, False, True]
    assert unpack(tmp_path / "out.pha", tmp_path / "to", UnpackOptions(workers=0)).failures == ()
    assert (tmp_path / "to/in" / ("b" * 251 + ".jxl")).read_bytes() == data


def test_in_a_batch_of_small_files(folder, tmp_path):
    small = jxl(pictures.photo(160, 128))
    assert len(small) < 1 << 16
    (folder / "a.dat").write_bytes(small)
    (folder / "a.dat.jpg").write_bytes(b"taken")
    pack([folder], tmp_path / "out.pha", PackOptions(RECODE, workers=0))
    assert check(tmp_path / "out.pha", 0).failures == ()
    with photoarc.open(tmp_path / "out.pha") as archive:
        assert archive.read("in/a.dat") == small


def test_archives_of_earlier_versions_are_unpacked_under_shorter_names(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(scan, "no_room_as_jpeg", lambda *_: {})
    name = "n" * 251 + ".jxl"
    (folder / name).write_bytes(jxl())
    pack([folder], tmp_path / "out.pha", PackOptions(RECODE, workers=0))
    assert check(tmp_path / "out.pha", 0).failures == ()
    done = unpack(tmp_path / "out.pha", tmp_path / "to", UnpackOptions(workers=0))
    assert done.failures == ()
    (found,) = (tmp_path / "to/in").iterdir()
    assert (found.suffix, len(found.name)) == (".jpg", 255)
