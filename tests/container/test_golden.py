"""Archives of every release, unpacked by this version: what people packed years ago must come back (tests/support/make_golden.py)."""

import json
from pathlib import Path

import numpy as np
import pytest
from blake3 import blake3

import photoarc
from photoarc import codecs
from photoarc.codecs import lepton
from photoarc.member import Kind
from photoarc.models.manifest import entries

GOLDEN = Path(__file__).parents[1] / "golden"
RELEASES = sorted(path.parent for path in GOLDEN.glob("*/digests.json"))
needs_lepton = pytest.mark.skipif(not lepton.available(), reason="no wheel of Lepton for this machine")
ARCHIVES = [
    pytest.param(path, id=f"{path.parent.name}/{path.stem}", marks=needs_lepton if path.stem == "smallest" else ())
    for release in RELEASES
    for path in sorted(release.glob("*.pha"))
]


def test_there_are_golden_archives():
    assert ARCHIVES


def test_every_model_is_in_a_golden_archive():
    used = set()
    for release in RELEASES:
        for path in release.glob("*.pha"):
            with photoarc.open(path) as archive:
                used |= {member.photo.model_id for member in archive if member.photo}
                used |= {int.from_bytes(archive.payload(member)[2:4], "little") for member in archive if member.codec_id == codecs.DCT}
    assert used >= entries().keys()


@pytest.mark.parametrize("path", ARCHIVES)
def test_bit_exact_files_come_back(path):
    expected = json.loads((path.parent / "digests.json").read_text(encoding="utf-8"))[path.name]
    with photoarc.open(path) as archive:
        found = {
            member.display_name: blake3(archive.read(member)).hexdigest()
            for member in archive
            if member.kind is Kind.FILE and member.photo is None
        }
    assert found == expected


@pytest.mark.parametrize("path", ARCHIVES)
def test_photographs_come_back_as_good_as_they_were(path):
    """Reading one checks the CRC of its latents; what the float networks make of them is compared with the source."""
    lossy = 0
    with photoarc.open(path) as archive, photoarc.open(path.with_name("lossless.pha")) as sources:
        for member in archive:
            if member.photo is None:
                continue
            lossy += 1
            pixels, source = (np.asarray(a.image(member.name), np.int16) for a in (archive, sources))
            if pixels.shape[2:] == (4,):
                assert np.array_equal(pixels[:, :, 3], source[:, :, 3])
                pixels, source = pixels[:, :, :3], source[:, :, :3]
            psnr_db = 10 * np.log10(255**2 / np.mean((pixels - source) ** 2.0))
            assert psnr_db == pytest.approx(member.photo.psnr_db, abs=0.05), member.display_name
    assert lossy == 0 if path.stem in ("grown", "lossless", "smallest") else lossy >= 5


@pytest.mark.parametrize("name", ["fast.pha", "lossless.pha"])
def test_members_are_opened_as_they_are_read(name):
    """Also a lossy photograph: what it is unpacked as."""
    with photoarc.open(RELEASES[-1] / name) as archive:
        files = sorted((member for member in archive if member.kind is Kind.FILE), key=lambda member: member.size_bytes)
        assert len({member.codec_id for member in files}) > 1
        smallest = {(member.codec_id, member.lossy): member for member in reversed(files)}
        for member in smallest.values():
            with archive.open(member) as file:
                assert (file.read(20), file.seek(5)) == (archive.read(member)[:20], 5)
                assert file.read() == archive.read(member)[5:]
        for member in files:
            if member.lossy and member is smallest[member.codec_id, True]:
                assert archive.open(member, "png").read(4) == b"\x89PNG"
