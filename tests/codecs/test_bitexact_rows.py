"""Which codecs are asked about a JPEG, in which order, and which one has it: the rows of PICTURE_CODECS."""

import pictures
import pytest

from photoarc import codecs
from photoarc.codecs import COMPOSITE, DCT, JPEGXL, LEPTON, LZMA, STORE, bitexact
from photoarc.errors import PayloadError

PLAIN = pictures.jpeg(pictures.photo(160, 96), quality=95)
FOLLOWED = PLAIN + bytes(600)


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
        (PLAIN, 5, {}, [JPEGXL, COMPOSITE, DCT], STORE),
        (PLAIN, 5, {JPEGXL: 50, DCT: 40}, [JPEGXL], JPEGXL),
        (PLAIN, 5, {COMPOSITE: 50, DCT: 40}, [JPEGXL, COMPOSITE], COMPOSITE),
        (PLAIN, 5, {COMPOSITE: 1 << 20, DCT: 40}, [JPEGXL, COMPOSITE, DCT], DCT),
        (PLAIN, 7, {JPEGXL: 50, DCT: 40, LEPTON: 45}, [JPEGXL, DCT, LEPTON], DCT),
        (PLAIN, 7, {JPEGXL: 50}, [JPEGXL, DCT, LEPTON], JPEGXL),
        (PLAIN, 7, {COMPOSITE: 50, DCT: 40}, [JPEGXL, COMPOSITE], COMPOSITE),
        (PLAIN, 7, {}, [JPEGXL, COMPOSITE, DCT, LEPTON], STORE),
        (FOLLOWED, 5, {COMPOSITE: 50, JPEGXL: 40}, [COMPOSITE], COMPOSITE),
        (FOLLOWED, 5, {JPEGXL: 50}, [COMPOSITE, JPEGXL], JPEGXL),
        (FOLLOWED, 7, {JPEGXL: 50, LEPTON: 40}, [COMPOSITE, JPEGXL, DCT, LEPTON], LEPTON),
    ],
)
def test_rows_for_jpeg(monkeypatch, data, effort, sizes, asked, takes):
    found = []
    monkeypatch.setattr(bitexact, "_SMALL_BYTES", 0)
    monkeypatch.setattr(codecs, "get_exact", lambda codec_id: Codec(codec_id, sizes.get(codec_id), found))
    codec_id, payload = bitexact.code(data, effort)
    assert found == asked
    assert (STORE if codec_id == LZMA else codec_id) == takes
    assert len(payload) == sizes.get(codec_id, len(payload))


def test_each_kind_has_rows_and_no_codec_is_asked_from_an_effort_that_does_not_exist():
    assert {kind for row in bitexact.PICTURE_CODECS for kind in row.kinds} == {
        bitexact.PictureKind(kind) for kind in ("JPEG", "PNG", "TIFF", "BMP", "PNM")
    }
    assert all(0 <= row.from_effort <= 9 for row in bitexact.PICTURE_CODECS)
