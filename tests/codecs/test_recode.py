"""`--recode`: HEIC, AVIF and lossy WebP as photographs, only when asked for, and only where nothing is lost but pixels' last bits."""

import io
import random
import sys
from contextlib import suppress

import numpy as np
import pictures
import pytest
from lossy_files import EXIF, ICC, JXL_START, MAKERS, PHOTO, XMP, avif, box, heic, jpeg_xl, lossy_webp
from PIL import AvifImagePlugin, Image, ImageCms
from typer.testing import CliRunner

import photoarc
from photoarc import codecs, pipeline
from photoarc.cli import app
from photoarc.disk import scan
from photoarc.errors import PayloadError
from photoarc.jobs.pack import pack
from photoarc.jobs.unpack import unpack
from photoarc.member import SourceFormat
from photoarc.options import CodingOptions, Mode, PackOptions, UnpackOptions
from photoarc.pictures import heif, image, jxl, libjxl, metadata, tiff, webp
from photoarc.pipeline import encode_file

RECODE = CodingOptions(quality=60, min_gain_percent=0, recode=True)
FORMATS = {"avif": SourceFormat.AVIF, "heic": SourceFormat.HEIC, "webp": SourceFormat.WEBP, "jxl": SourceFormat.JXL}


def psnr_db(a, b):
    return 10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2))


def as_array(data):
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB"))


@pytest.mark.parametrize("kind", MAKERS)
def test_only_when_asked_for(kind):
    data = MAKERS[kind]()
    assert encode_file(data, CodingOptions()).photo is None
    assert isinstance(image.photograph(data), str)
    taken = image.photograph(data, recode=True)
    assert isinstance(taken, image.Photograph), taken
    assert (taken.source_format, taken.was_lossy, taken.alpha) == (FORMATS[kind], True, None)
    held = metadata.from_webp(metadata.unpack(taken.metadata))
    assert (held.exif, held.xmp) == (EXIF, XMP)
    assert held.icc == ICC or (kind == "jxl" and b"sRGB" in held.icc.replace(b"\0", b""))
    assert psnr_db(taken.pixels, PHOTO) > 30


@pytest.mark.parametrize("mode", [Mode.FAST, Mode.LZMA])
@pytest.mark.parametrize("kind", MAKERS)
def test_there_and_back(kind, mode, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = MAKERS[kind]()
    (tmp_path / f"a.{kind}").write_bytes(data)
    options = CodingOptions(mode, 60, min_gain_percent=0, recode=True)
    done = pack([f"a.{kind}"], "out.pha", PackOptions(options, workers=0))
    assert done.photographs.files == 1
    assert unpack("out.pha", "to", UnpackOptions(workers=0)).failures == ()
    (found,) = (tmp_path / "to").iterdir()
    assert found.name == ("a.webp" if kind == "webp" else f"a.{kind}.jpg")
    with Image.open(found) as written:
        assert written.format == ("WEBP" if kind == "webp" else "JPEG")
        assert (written.info["exif"].removeprefix(b"Exif\0\0"), written.info["xmp"]) == (EXIF, XMP)
        assert written.info["icc_profile"] == ICC or kind == "jxl"
        assert psnr_db(np.asarray(written), as_array(data) if kind in ("webp", "avif") else PHOTO) > 28
    with photoarc.open("out.pha") as archive:
        member = archive.info(f"a.{kind}")
        assert member.photo.source_format is FORMATS[kind]
        assert archive.read(member) == found.read_bytes()
        assert archive.read(member, "png")[:4] == b"\x89PNG"
    if kind == "webp":
        assert found.read_bytes()[12:16] == b"VP8X"
        lossless = image.write(image.photograph(data, recode=True), "png")
        assert found.stat().st_size < len(lossless) / 2  # written lossily, as it came


def test_small_ones_leave_the_batch(tmp_path):
    (tmp_path / "in").mkdir()
    data = avif()
    assert len(data) < 1 << 16
    for name in ("a.avif", "b.dat"):  # the second is coded in a batch of small files
        (tmp_path / "in" / name).write_bytes(data if name == "a.avif" else avif(PHOTO[::-1].copy()))
    done = pack([tmp_path / "in"], tmp_path / "out.pha", PackOptions(RECODE, workers=0))
    assert done.photographs.files == 2
    done = pack([tmp_path / "in"], tmp_path / "no.pha", PackOptions(CodingOptions(), workers=0))
    assert done.photographs.files == 0


def test_only_for_a_gain():
    data = lossy_webp(quality=60)
    kept = encode_file(data, CodingOptions(quality=100, recode=True))
    assert (kept.photo, kept.note) == (None, "not 10% smaller than bit-exact")
    assert kept.codec_id in (codecs.STORE, codecs.LZMA)


def test_names_that_are_taken(tmp_path, monkeypatch):
    """Archives of earlier versions have such names; today's keep one of the two bit-exact (test_written_back.py)."""
    monkeypatch.setattr(scan, "no_room_as_jpeg", lambda *_: {})
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.avif").write_bytes(avif())
    (tmp_path / "in" / "a.avif.jpg").write_bytes(b"not a picture")
    pack([tmp_path / "in"], tmp_path / "out.pha", PackOptions(RECODE, workers=0))
    done = unpack(tmp_path / "out.pha", tmp_path / "to", UnpackOptions(workers=0))
    assert (done.failures, done.renamed) == ((), (("in/a.avif", "in/a.avif (2).jpg"),))
    assert (tmp_path / "to/in/a.avif.jpg").read_bytes() == b"not a picture"
    done = unpack(tmp_path / "out.pha", tmp_path / "png", UnpackOptions(as_format="png", workers=0))
    assert done.failures == ()
    assert (tmp_path / "png/in/a.avif.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_rotation_in_heic_and_exif(orientation):
    """libheif turns the pixels; they are turned back, and EXIF goes on saying how to turn them."""
    data = heic(exif=pictures.exif(orientation))
    parts = heif.split(data)
    taken = image.photograph(data, recode=True)
    if parts.orientation != orientation:  # this pillow-heif does not write the rotation
        assert taken == "a rotation that its EXIF does not name"
        return
    assert taken.pixels.shape == PHOTO.shape
    assert psnr_db(taken.pixels, PHOTO) > 30


def test_a_rotation_that_only_the_container_names():
    data = avif(exif=pictures.exif(6))  # Pillow moves the orientation from EXIF to the container
    assert heif.split(data).orientation == 6
    assert "metadata" in image.photograph(data, recode=True)
    exif = pictures.exif(6)
    assert tiff.orientation(exif) == 6
    assert tiff.orientation(exif[:8] + bytes(6)) == 1
    for cut in (exif[:3], exif[:9], b"rubbish"):
        with pytest.raises(PayloadError):
            tiff.orientation(cut)


OWN_ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
ALPHA = np.dstack([PHOTO, PHOTO[:, :, 0]])
REFUSED = {
    "AVIF with alpha": (lambda: avif(ALPHA), "gain map, depth, alpha"),
    "HEIC with alpha": (lambda: heic(ALPHA), "gain map, depth, alpha"),
    "WebP with alpha": (lambda: lossy_webp(ALPHA), "transparency"),
    "animated AVIF": (lambda: avif(save_all=True, append_images=[Image.fromarray(PHOTO[::-1].copy())]), "not a photograph format"),
    "animated WebP": (lambda: lossy_webp(save_all=True, append_images=[Image.fromarray(PHOTO[::-1].copy())]), "animation"),
    "film behind": (lambda: avif() + b"\0\0\0\x0cmpvdfilm", "data beside the picture"),
    "cut": (lambda: avif()[:-1], "truncated"),
    "tiny": (lambda: avif(PHOTO[:40, :40].copy()), "tiny"),
    "screenshot": (lambda: avif(pictures.screenshot(300, 200), quality=100), ""),
    "ten bits": (lambda: avif().replace(b"pixi\0\0\0\0\x03\x08\x08\x08", b"pixi\0\0\0\0\x03\x0a\x0a\x0a"), "not 8 bits"),
    "wide colours": (
        lambda: avif(icc_profile=None).replace(b"nclx\0\x01\0\x0d", b"nclx\0\x0c\0\x0d"),
        "colours that only the container names",
    ),
    "cropped": (lambda: avif().replace(b"colrprof", b"clapprof"), "property clap"),
    "second item": (lambda: avif().replace(b"mime", b"tmap"), "tmap"),
    "JPEG inside": (lambda: libjxl.from_jpeg(pictures.jpeg(PHOTO)), "a JPEG file"),
    "JXL with alpha": (lambda: jpeg_xl(ALPHA), "transparency"),
    "JXL of 16 bits": (lambda: jpeg_xl(PHOTO.astype(np.uint16) * 257), "not 8 bits"),
    "JXL with a profile": (lambda: jpeg_xl(lossless=True, icc=OWN_ICC), "a box prof"),
    "JXL, EXIF with an orientation": (lambda: jpeg_xl(exif=pictures.exif(6)), "orientation in EXIF"),
    "JXL, EXIF far in": (lambda: jpeg_xl().replace(b"Exif\0\0\0\0", b"Exif\0\0\0\1"), ""),
    "JXL with something else": (lambda: jpeg_xl() + box(b"jumb", b"signed"), "content credentials"),
    "JXL, cut": (lambda: jpeg_xl()[:-1], "truncated"),
    "long EXIF": (lambda: avif(exif=pictures.exif(1, b"x" * 70_000)), "too long for JPEG"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    make, reason = REFUSED[name]
    data = make()
    why = image.photograph(data, recode=True)
    assert isinstance(why, str)
    assert reason in why
    encoded = encode_file(data, RECODE)
    assert encoded.photo is None
    assert pipeline.decode_payload("x", encoded.codec_id, encoded.payload, encoded.size_bytes, encoded.digest) == data


def bits(*fields):
    """Fields (value, count) of a codestream behind its signature."""
    value = at = 0
    for field, count in fields:
        value |= field << at
        at += count
    return b"\xff\x0a" + value.to_bytes((at + 7) // 8 + 8, "little")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ([(1, 1), (3, 5), (1, 3), (1, 1)], ""),  # 32 x 32, all defaults
        ([(0, 1), (2, 2), (999, 18), (0, 3), (3, 2), (999, 30), (0, 1), (0, 1)], ""),
        ([(0, 1), (0, 2), (99, 9), (0, 3), (1, 2), (999, 13), (0, 1), (1, 1), (5, 3), (0, 1), (0, 1), (0, 1)], ""),
        ([(1, 1), (3, 5), (1, 3), (0, 1), (1, 1), (5, 3), (1, 1)], "size of its own"),
        ([(1, 1), (3, 5), (1, 3), (0, 1), (1, 1), (5, 3), (0, 1), (1, 1)], "preview"),
        ([(1, 1), (3, 5), (0, 3), (3, 5), (0, 1), (1, 1), (0, 3), (0, 1), (0, 1), (1, 1)], "animation"),
    ],
)
def test_heads_of_jpeg_xl(fields, reason):
    for data in (bits(*fields), JXL_START + box(b"jxlp", bytes(4) + bits(*fields)), JXL_START + box(b"jxlc", bits(*fields))):
        if reason:
            with pytest.raises(PayloadError, match=reason):
                jxl.check(data)
        else:
            jxl.check(data)
    for broken in (b"\xff\x0a", JXL_START, JXL_START + box(b"jxlc", b"no"), JXL_START[:20]):
        with pytest.raises(PayloadError):
            jxl.check(broken)


def test_damaged_boxes_are_refused_or_read():
    good = avif()
    end = good.index(b"mdat")
    rng = random.Random(3)
    for _ in range(400):
        data = bytearray(good[: rng.randrange(end)] if rng.random() < 0.2 else good)
        for _ in range(rng.randrange(1, 4)):
            data[rng.randrange(min(len(data), end))] = rng.choice((0, 1, 255, rng.randrange(256))) if data else 0
        with suppress(PayloadError):
            heif.split(bytes(data))


def test_without_pillow_heif(monkeypatch):
    data = heic()
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    assert "pip install pillow-heif" in image.photograph(data, recode=True)
    monkeypatch.setattr(AvifImagePlugin, "AvifImageFile", None)
    assert isinstance(image.photograph(avif(), recode=True), str)


def test_lossy_webp_taken_apart():
    parts = webp.split(lossy_webp(), lossy_too=True)
    assert (parts.width_px, parts.height_px, parts.lossy, parts.picture[12:16]) == (256, 192, True, b"VP8 ")
    assert not webp.split(pictures.webp(PHOTO), lossy_too=True).lossy
    with pytest.raises(PayloadError, match="lossy WebP"):
        webp.split(lossy_webp())


def test_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.avif").write_bytes(avif())
    run = CliRunner().invoke
    assert "choose one" in run(app.app, ["pack", "a.avif", "out.pha", "--recode", "--mode", "lossless"]).stderr
    assert run(app.app, ["pack", "a.avif", "out.pha", "--recode", "--min-gain", "0", "--quality", "60", "-j", "0"]).exit_code == 0
    assert '"source_format": "avif"' in run(app.app, ["list", "out.pha", "--json"]).stdout
    assert run(app.app, ["unpack", "out.pha", "to"]).exit_code == 0
    assert [path.name for path in (tmp_path / "to").iterdir()] == ["a.avif.jpg"]
