"""Another architecture is a model, a band coder and a row: an untrained DCT packs and unpacks photographs."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pictures
import pytest
from PIL import Image

import photoarc
from photoarc import codecs, models
from photoarc.codecs import latents, learned
from photoarc.codecs.photo import bands, descent
from photoarc.codecs.photo.header import parse_header
from photoarc.errors import ModelCorrupt
from photoarc.jobs.pack import pack
from photoarc.jobs.unpack import unpack
from photoarc.member import SourceFormat
from photoarc.models import manifest
from photoarc.models.photo_model import ARCHITECTURES, Architecture
from photoarc.options import CodingOptions, Mode, PackOptions, Tuning, UnpackOptions
from photoarc.pictures.image import Photograph

pytest.importorskip("onnx")

import toy_architecture

TOY = 99
BOTH = pytest.mark.parametrize("codec", [learned, latents], ids=["learned", "latents"])


def register(folder: Path, architecture: str) -> None:
    """A manifest that lists the toy alone."""
    (folder / "toy").mkdir(parents=True)
    files = {name: hashlib.sha256((folder / "toy" / name).read_bytes()).hexdigest() for name in toy_architecture.save(folder / "toy")}
    digest = hashlib.sha256("".join(files.values()).encode()).hexdigest()
    model = {"id": TOY, "name": "toy", "architecture": architecture, "levels": 5, "licence": "", "training": "", "sha256": digest}
    (folder / "manifest.json").write_text(json.dumps({"models": [model | {"files": files}]}))


@pytest.fixture(autouse=True)
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The toy codes new photographs."""
    register(tmp_path / "models", "dct")
    monkeypatch.setitem(ARCHITECTURES, "dct", Architecture("toy_architecture:Dct", "toy_architecture:DctBands"))
    monkeypatch.setattr(manifest, "FOLDERS", (tmp_path / "models",))
    monkeypatch.setattr(manifest, "CODED_WITH", dict.fromkeys(Tuning, TOY))
    manifest.entries.cache_clear()
    models.load.cache_clear()
    yield
    manifest.entries.cache_clear()
    models.load.cache_clear()


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


def photograph(width: int, height: int) -> Photograph:
    return Photograph(pictures.photo(width, height), None, SourceFormat.PNG, b"metadata", b"writer!")


@pytest.mark.parametrize(("mode", "codec_id"), [(Mode.FAST, codecs.LEARNED), (Mode.LZMA, codecs.LATENTS)])
def test_a_picture_comes_back_from_an_archive(tmp_path: Path, mode: Mode, codec_id: int) -> None:
    source = pictures.png(pictures.photo(333, 250))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(source)
    done = pack([tmp_path / "in"], tmp_path / "a.pha", PackOptions(CodingOptions(mode, quality=60), workers=0))
    assert (done.failures, done.photographs.files) == ((), 1)
    with photoarc.open(tmp_path / "a.pha") as archive:
        member = archive.info("in/a.png")
    assert (member.codec_id, member.photo.model_id) == (codec_id, TOY)
    assert member.payload_bytes < 0.5 * len(source)
    assert not unpack(tmp_path / "a.pha", tmp_path / "out", UnpackOptions(workers=0)).failures
    back = np.asarray(Image.open(io.BytesIO((tmp_path / "out" / "in" / "a.png").read_bytes())))
    assert psnr(pictures.photo(333, 250), back) == pytest.approx(member.photo.psnr_db, abs=0.01)
    assert member.photo.psnr_db > 30


@BOTH
def test_bands_and_places_of_its_own_stride(codec, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several bands, odd sides, steps by place, no halo: what is decoded is what was measured."""
    monkeypatch.setattr(bands, "BAND_PX", 128 * 128)
    source = photograph(201, 309)
    for tuning in Tuning:
        payload, info = codec.encode(source, 70, tuning)
        header = parse_header(payload)
        assert (header.bands, header.cells_bytes > 0) == (3, tuning is Tuning.SSIM)
        assert psnr(source.pixels, codec.decode_photo(payload).pixels) == pytest.approx(info.psnr_db, abs=1e-6)


@BOTH
def test_more_quality_is_more_bytes_and_nearer(codec) -> None:
    found = [codec.encode(photograph(128, 128), quality) for quality in (20, 50, 77.7, 100)]
    assert [len(payload) for payload, _ in found] == sorted({len(payload) for payload, _ in found})
    assert [info.psnr_db for _, info in found] == sorted({info.psnr_db for _, info in found})


def test_no_effort_searches_what_has_no_slope() -> None:
    assert learned.encode(photograph(100, 70), 60, effort=9)[0] == learned.encode(photograph(100, 70), 60)[0]
    assert descent.as_good(60, 9, Tuning.SSIM) == 60


def test_an_architecture_without_a_row_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(tmp_path / "later", "unheard-of")
    monkeypatch.setattr(manifest, "FOLDERS", (tmp_path / "later",))
    manifest.entries.cache_clear()
    with pytest.raises(ModelCorrupt, match=r"its architecture is 'unheard-of', 'hyperprior' or 'dct' was expected; update photoarc"):
        models.load(TOY)
