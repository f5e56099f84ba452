"""Codec lepton: JPEG files byte for byte, or refused; and the efforts at which it is asked."""

import struct
import subprocess
import sys
import zlib

import pictures
import pytest
from damage import check_a_changed_byte
from hypothesis import given, settings
from hypothesis import strategies as st

from photoarc import codecs, pipeline
from photoarc.codecs import composite, dct, lepton
from photoarc.errors import PayloadCorrupt, PayloadError
from photoarc.jobs.pack import pack
from photoarc.options import CodingOptions, Mode, PackOptions

needs_lepton = pytest.mark.skipif(not lepton.available(), reason="no wheel of Lepton for this machine")
PHOTO = pictures.jpeg(pictures.photo(200, 150), segments=[(0xE1, b"Exif\0\0" + pictures.exif(6))])
PROGRESSIVE = pictures.jpeg(pictures.photo(120, 90, seed=3), progressive=True)
AGAIN = """
import sys
from pathlib import Path
from photoarc.codecs import lepton
for path in Path(sys.argv[1]).glob("*.lep"):
    data = path.with_suffix(".jpg").read_bytes()
    assert lepton.decode(path.read_bytes(), len(data)) == data
"""
FILM = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 40


def exact(data, effort):
    return pipeline.encode_file(data, CodingOptions(Mode.LOSSLESS, effort=effort))


@needs_lepton
@pytest.mark.parametrize("data", [PHOTO, PROGRESSIVE, PHOTO[:-900], PHOTO + FILM], ids=["photo", "progressive", "cut", "film behind"])
def test_the_file_comes_back(data):
    payload = lepton.encode(data)
    assert len(payload) < len(data)
    assert lepton.decode(payload, len(data)) == data


@needs_lepton
def test_a_process_that_has_coded_nothing_decodes_it(tmp_path):
    """A check in the process that wrote may share its state; so do the golden archives, which an earlier process wrote."""
    for number, data in enumerate((PROGRESSIVE, PHOTO[:-900], PHOTO)):
        (tmp_path / f"{number}.lep").write_bytes(lepton.encode(data))
        (tmp_path / f"{number}.jpg").write_bytes(data)
    subprocess.run([sys.executable, "-c", AGAIN, tmp_path], check=True)


@needs_lepton
def test_a_version_that_is_known_to_fail_writes_nothing(monkeypatch):
    payload = lepton.encode(PHOTO)
    monkeypatch.setattr(lepton, "_version", lambda: (0, 5, 5))
    with pytest.raises(PayloadError, match=r"older than 0\.5\.8, which is not trusted to write"):
        lepton.encode(PHOTO)
    assert lepton.decode(payload, len(PHOTO)) == PHOTO
    assert exact(PHOTO[:-900], 7).codec_id != codecs.LEPTON


@needs_lepton
@pytest.mark.parametrize("data", [b"", PHOTO[:-2], pictures.cmyk_jpeg(pictures.photo(96, 80)), b"\xff\xd8" + bytes(999)], ids=len)
def test_refuses_what_does_not_come_back(data):
    with pytest.raises(PayloadError):
        lepton.encode(data)


@needs_lepton
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damage_is_an_error_or_harmless(data):
    check_a_changed_byte(lepton.decode, lepton.encode(PHOTO), len(PHOTO), data)


@needs_lepton
def test_a_picture_that_claims_to_be_enormous_never_reaches_the_decoder(monkeypatch):
    bomb = PHOTO.replace(struct.pack(">HH", 150, 200), struct.pack(">HH", 65000, 65000))
    with pytest.raises(PayloadError, match="claims 4,225,000,000 pixels"):
        lepton.encode(bomb)
    payload = lepton.encode(PHOTO)
    size = int.from_bytes(payload[24:28], "little")
    header = zlib.decompress(payload[28 : 28 + size]).replace(struct.pack(">HH", 150, 200), struct.pack(">HH", 65000, 65000))
    packed = zlib.compress(header)
    forged = payload[:24] + len(packed).to_bytes(4, "little") + packed + payload[28 + size :]
    with pytest.raises(PayloadError, match="claims 4,225,000,000 pixels") as caught:
        lepton.decode(forged, len(PHOTO))
    assert caught.value.kind is PayloadCorrupt


@needs_lepton
def test_effort_chooses_the_smallest(monkeypatch):
    def refuse(file, effort):
        raise PayloadError("no networks here")

    monkeypatch.setattr(dct, "encode", refuse)
    usual, most = exact(PHOTO, 6), exact(PHOTO, 7)
    assert usual.codec_id == codecs.JPEGXL
    assert most.codec_id == codecs.LEPTON
    assert len(most.payload) < len(usual.payload)


@needs_lepton
def test_every_picture_of_a_composite_by_what_is_smaller():
    data = PROGRESSIVE + FILM
    quick, most = composite.encode(data, 4), composite.encode(data, 7)
    assert len(most) < len(quick)
    assert composite.decode(most, len(data)) == data


def test_low_effort_leaves_png_files_whole():
    data = pictures.png(pictures.photo(80, 60), compress_level=6)
    quick, usual, most = (exact(data, effort) for effort in (2, 3, 9))
    assert quick.codec_id in (codecs.STORE, codecs.LZMA)
    assert usual.codec_id == most.codec_id == codecs.PNG
    assert len(most.payload) <= len(usual.payload) < len(quick.payload)


def test_without_the_extra_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lepton_jpeg_python", None)
    (tmp_path / "a.jpg").write_bytes(PHOTO)
    done = pack([tmp_path / "a.jpg"], tmp_path / "a.pha", PackOptions(CodingOptions(Mode.LOSSLESS, effort=9), workers=0))
    assert any("pip install lepton-jpeg-python" in remark for remark in done.remarks)
    assert not done.warnings
    assert not done.failures
    with pytest.raises(PayloadError, match="pip install lepton-jpeg-python"):
        lepton.decode(b"\xcf\x84", 9)
