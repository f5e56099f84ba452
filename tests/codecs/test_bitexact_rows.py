"""Which codecs are asked about a JPEG, in which order, and which one has it: the rows of PICTURE_CODECS."""

import pictures
import pytest

from photoarc import codecs
from photoarc.codecs import COMPOSITE, DCT, JPEGXL, LEPTON, LZMA, STORE, bitexact, composite
from photoarc.errors import PayloadError
from photoarc.pictures.parsed import Parsed

PLAIN = pictures.jpeg(pictures.photo(160, 96), quality=95)
FOLLOWED = PLAIN + bytes(600)
PHOTOGRAPHED = int(0.6 * len(PLAIN))  # bytes that networks leave of a photograph, rather than of a drawing


class Codec:
    """Makes payloads of one size, or refuses (None)."""

    def __init__(self, name, size, asked):
        self.name, self.size, self.asked = name, size, asked

    def encode(self, data, effort):
        self.asked.append(self.name)
        if self.size is None:
            raise PayloadError("refused")
        return bytes(self.size)


@pytest.mark.parametrize(
    ("data", "effort", "sizes", "asked", "takes"),
    [
        (PLAIN, 0, {JPEGXL: 50}, [JPEGXL], JPEGXL),
        (PLAIN, 0, {}, [JPEGXL, COMPOSITE], STORE),
        (PLAIN, 4, {}, [JPEGXL, COMPOSITE, DCT], STORE),
        (PLAIN, 4, {JPEGXL: 50, DCT: 40}, [JPEGXL], JPEGXL),
        (PLAIN, 4, {COMPOSITE: 50, DCT: 40}, [JPEGXL, COMPOSITE], COMPOSITE),
        (PLAIN, 4, {COMPOSITE: 1 << 20, DCT: 40}, [JPEGXL, COMPOSITE, DCT], DCT),
        (PLAIN, 5, {JPEGXL: 50, DCT: PHOTOGRAPHED}, [DCT], DCT),
        (PLAIN, 5, {JPEGXL: 50, DCT: 60}, [DCT, JPEGXL], JPEGXL),
        (PLAIN, 5, {JPEGXL: 60, DCT: 50}, [DCT, JPEGXL], DCT),
        (PLAIN, 5, {JPEGXL: 50}, [DCT, JPEGXL], JPEGXL),
        (PLAIN, 5, {}, [DCT, JPEGXL, COMPOSITE], STORE),
        (PLAIN, 7, {JPEGXL: 50, DCT: 40, LEPTON: 45}, [DCT, JPEGXL, LEPTON], DCT),
        (PLAIN, 7, {JPEGXL: 50}, [DCT, JPEGXL, LEPTON], JPEGXL),
        (PLAIN, 7, {COMPOSITE: 50}, [DCT, JPEGXL, COMPOSITE], COMPOSITE),
        (PLAIN, 7, {}, [DCT, JPEGXL, COMPOSITE, LEPTON], STORE),
        (FOLLOWED, 5, {COMPOSITE: 50, JPEGXL: 40}, [COMPOSITE], COMPOSITE),
        (FOLLOWED, 5, {JPEGXL: 50}, [COMPOSITE, DCT, JPEGXL], JPEGXL),
        (FOLLOWED, 7, {JPEGXL: 50, LEPTON: 40}, [COMPOSITE, DCT, JPEGXL, LEPTON], LEPTON),
    ],
)
def test_rows_for_jpeg(monkeypatch, data, effort, sizes, asked, takes):
    found = []
    monkeypatch.setattr(bitexact, "_SMALL_BYTES", 0)
    monkeypatch.setattr(codecs, "get_exact", lambda codec_id: Codec(codec_id, sizes.get(codec_id), found))
    monkeypatch.setattr(composite, "refusal", lambda file, payload: "")
    codec_id, payload, _ = bitexact.code(data, effort)
    assert found == asked
    assert (STORE if codec_id == LZMA else codec_id) == takes
    assert len(payload) == sizes.get(codec_id, len(payload))


def test_each_kind_has_rows_and_no_codec_is_asked_from_an_effort_that_does_not_exist():
    assert {kind for row in bitexact.PICTURE_CODECS for kind in row.kinds} == {
        bitexact.PictureKind(kind) for kind in ("JPEG", "PNG", "TIFF", "BMP", "PNM")
    }
    assert all(0 <= row.from_effort <= 9 for row in bitexact.PICTURE_CODECS)


@pytest.mark.parametrize(
    ("data", "share", "doubted"),
    [
        (PLAIN, 0.44, True),
        (PLAIN, 0.6, False),
        (PLAIN, 0.81, False),
        (PLAIN, 0.83, True),
        (pictures.jpeg(pictures.photo(160, 96), quality=95, keep_rgb=True), 0.6, True),
        (pictures.jpeg(pictures.photo(160, 96)[:, :, :1], quality=95), 0.6, False),
    ],
)
def test_where_networks_are_doubted(monkeypatch, data, share, doubted):
    monkeypatch.setattr(bitexact, "_SMALL_BYTES", 0)
    assert bitexact.is_doubted(Parsed(data), round(share * len(data))) == doubted
