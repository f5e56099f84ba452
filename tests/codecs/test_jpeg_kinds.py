"""Every kind of JPEG: by its coefficients where codec dct takes it, else bit-exact by another one, and why in words."""

import io

import jpeg_kinds
import numpy as np
import pytest
from PIL import Image

from photoarc import codecs
from photoarc.codecs import bitexact, dct
from photoarc.errors import PayloadError
from photoarc.pictures.image import photograph
from photoarc.pictures.jpeg import scans

KINDS = jpeg_kinds.kinds()
# What codec dct refuses, and what the lossy modes say of it ("": they take it).
REFUSED = {
    "cut, progressive": ("truncated JPEG: its data end before the picture", "truncated JPEG: no end marker"),
    "arithmetic coding": ("arithmetic coding", "arithmetic coding"),
    "12 bits": ("12 bits a channel", "12 bits a channel"),
    "padding of two kinds": ("unusual bits", ""),
    "height behind the scan (DNL)": ("height is not in its header", "height is not in its header"),
    "lossless": ("lossless JPEG", "lossless JPEG"),
    "hierarchical": ("hierarchical JPEG", "hierarchical JPEG"),
    "five components": ("5 colour channels", "5 colour channels"),
}
# What only the lossy modes refuse.
NO_PHOTOGRAPHS = {"cut": "truncated JPEG: no end marker", "chroma no divisor": "Fractional sampling", "CMYK": "CMYK", "YCCK": "CMYK"}
BY_COEFFICIENTS = [name for name in KINDS if name not in REFUSED]


@pytest.mark.parametrize("name", BY_COEFFICIENTS)
def test_the_file_comes_back_by_its_coefficients(name):
    data = KINDS[name]
    payload = dct.encode(data)
    assert len(payload) < 0.9 * len(data)
    assert dct.decode(payload, len(data)) == data


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_kept_by_another_codec_with_the_reason(name):
    data, (reason, said) = KINDS[name], REFUSED[name]
    with pytest.raises(PayloadError, match=reason):
        dct.encode(data)
    found = photograph(data)
    assert said in found if said else not isinstance(found, str)
    coded = bitexact.code(data, 5)
    assert coded.codec_id != codecs.DCT
    assert reason in coded.refused
    assert codecs.get(coded.codec_id).decode(coded.payload, len(data)) == data


@pytest.mark.parametrize("name", BY_COEFFICIENTS)
def test_nothing_is_said_of_what_is_coded_as_usual(name):
    coded = bitexact.code(KINDS[name], 5)
    assert coded.codec_id in (codecs.DCT, codecs.COMPOSITE)
    assert coded.refused == ""


@pytest.mark.parametrize("effort", [0, 3, 5, 7])
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (KINDS["cut, progressive"], "truncated JPEG: its data end before the picture"),
        (KINDS["three scans"][:4000], "truncated JPEG: its data end before the picture"),
        (KINDS["4:2:0"][:300], "truncated JPEG: it ends within a segment"),
        (KINDS["4:2:0"][:20], "truncated JPEG: it ends before its picture"),
        (KINDS["lossless"], "lossless JPEG"),
        (KINDS["hierarchical"], "hierarchical JPEG"),
        (KINDS["arithmetic coding"], "arithmetic coding"),
        (KINDS["12 bits"], "12 bits a channel"),
        (KINDS["five components"], "5 colour channels"),
        (KINDS["height behind the scan (DNL)"], "JPEG whose height is not in its header"),
    ],
)
def test_what_no_codec_takes_has_a_reason_at_every_effort(data, reason, effort):
    said = bitexact.code(data, effort).refused
    assert said == (reason if effort or "data end" not in reason else "truncated JPEG: no end marker")


def test_a_first_picture_that_networks_refuse_says_so_for_its_file():
    data = KINDS["padding of two kinds"] + jpeg_kinds.FILM
    coded = bitexact.code(data, 5)
    assert coded.codec_id == codecs.COMPOSITE
    assert "unusual bits" in coded.refused
    assert bitexact.code(data, 4).refused == ""  # networks are not asked


@pytest.mark.parametrize("name", NO_PHOTOGRAPHS)
def test_what_is_no_photograph_says_why(name):
    assert NO_PHOTOGRAPHS[name] in photograph(KINDS[name])


@pytest.mark.parametrize(
    ("name", "apart"),
    [
        ("4:2:0", 0),
        ("grey", 0),
        ("RGB", 4),
        ("CMYK", 4),
        ("YCCK", 0),
        ("chroma no divisor", 4),
        ("chroma of two sizes", 4),
        ("progressive", 0),
    ],
)
def test_components_that_are_no_luma_and_chroma_are_coded_apart(name, apart):
    assert dct.encode(KINDS[name])[dct._HEADER.size] & 4 == apart


@pytest.mark.parametrize("name", ["three scans", "two scans, restarts", "4:4:0", "4:1:1", "4:1:0"])
def test_files_made_here_are_read_by_others(name):
    with Image.open(io.BytesIO(KINDS[name])) as picture:
        pixels = np.asarray(picture)
    assert pixels.shape == jpeg_kinds.PHOTO.shape
    if "scans" in name:  # where blocks lie in them is what others say
        assert np.abs(pixels.astype(int) - jpeg_kinds.PHOTO).mean() < 4


def test_a_scan_for_each_component_has_the_coefficients_of_one_for_all():
    one, three = (scans.read(KINDS[name]) for name in ("4:2:0", "three scans"))
    for plane, whole in zip(three.coefficients, one.coefficients, strict=True):
        same = plane == whole
        assert same[:, : -2 or None, : -2 or None].all()
    assert len(scans.layout(three.head).scans) == 3


def test_a_component_in_two_scans_or_in_none_is_refused():
    head = scans.read(jpeg_kinds.in_scans((0,), (1,), (2,))).head
    at = head.rindex(b"\xff\xda")
    for broken in (head[: at + 5] + head[at + 5 : at + 6].replace(b"\3", b"\2") + head[at + 6 :], head[:at]):
        with pytest.raises(PayloadError, match="components of the scans"):
            scans.layout(broken)
