"""The headers of a file, its scans and the claims in it are looked at once, however many codecs are asked."""

from collections import Counter

import pictures
import pytest

from photoarc import pipeline
from photoarc.codecs import bitexact
from photoarc.errors import PayloadError
from photoarc.options import CodingOptions, Mode
from photoarc.pictures import parsed
from photoarc.pictures.jpeg import scans, segments
from photoarc.pictures.parsed import Parsed

PHOTO = pictures.jpeg(pictures.photo(200, 150), quality=60, segments=[(0xE1, b"Exif\0\0" + pictures.exif(1))])
PROGRESSIVE = pictures.progressive_jpeg(pictures.photo(200, 150))
SECOND = pictures.jpeg(pictures.photo(120, 90, seed=3))
FILES = {
    "one picture": PHOTO,
    "progressive": PROGRESSIVE,
    "cut": PHOTO[:-500],
    "no end marker": PHOTO[:-2],
    "a film behind": PHOTO + bytes(600) + b"ftypmp42" * 90,
    "a picture behind": PHOTO + SECOND,
    "grey": pictures.jpeg(pictures.photo(200, 150)[:, :, :1]),
    "CMYK": pictures.cmyk_jpeg(pictures.photo(200, 150)),
    "arithmetic coding": PHOTO.replace(b"\xff\xc0", b"\xff\xc9", 1),
}


@pytest.fixture
def looks(monkeypatch):
    """Bytes -> how often each of the three looked at them."""
    found = {name: Counter() for name in ("parse", "read_parsed", "claimed_pixels", "picture_size")}

    def listen(module, name):
        look = getattr(module, name)

        def counted(what):
            found[name][what.data if isinstance(what, segments.Jpeg) else what if isinstance(what, bytes) else what.getvalue()] += 1
            return look(what)

        monkeypatch.setattr(module, name, counted)

    for module, name in ((segments, "parse"), (scans, "read_parsed"), (segments, "claimed_pixels"), (parsed, "picture_size")):
        listen(module, name)
    return found


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(("mode", "effort"), [(Mode.LOSSLESS, 0), (Mode.LOSSLESS, 5), (Mode.LOSSLESS, 7), (Mode.FAST, 5)])
def test_a_file_is_looked_at_once(name, mode, effort, looks):
    data = FILES[name]
    encoded = pipeline.encode_file(data, CodingOptions(mode=mode, effort=effort))
    assert len(encoded.payload) <= len(data)
    assert looks["parse"][data] == looks["picture_size"][data] == 1
    for pieces in looks.values():
        assert max(pieces.values(), default=1) == 1


def test_pictures_behind_are_looked_at_once_as_well(looks):
    bitexact.code(PHOTO + SECOND, 5)
    assert looks["read_parsed"][PHOTO] == looks["read_parsed"][SECOND] == 1
    assert looks["parse"][SECOND] == 1


def test_what_refuses_a_file_says_so_again_in_the_same_words(looks):
    file = Parsed(FILES["arithmetic coding"])
    for _ in range(3):
        with pytest.raises(PayloadError, match=r"^arithmetic coding$"):
            file.jpeg  # noqa: B018
        with pytest.raises(PayloadError, match=r"^arithmetic coding$"):
            file.scan  # noqa: B018
    assert looks["parse"] == {file.data: 1}
