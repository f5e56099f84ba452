"""One file in, one payload out: which codec, and that everything comes back."""

import numpy as np
import pictures
import pytest
from blake3 import blake3
from PIL import Image

from photoarc import codecs
from photoarc.codecs.photo.header import parse_header
from photoarc.codecs.photo.payload import PhotoCodec
from photoarc.errors import DecodeFailed, PayloadCorrupt, PayloadError, UnsupportedCodec
from photoarc.models.hyperprior import Hyperprior
from photoarc.models.manifest import CODED_WITH
from photoarc.options import CodingOptions, Mode, Tuning
from photoarc.pipeline import decode_image, decode_payload, encode_file


def code(data, mode=Mode.FAST, quality=70.0):
    encoded = encode_file(data, CodingOptions(mode) if mode == Mode.LOSSLESS else CodingOptions(mode, quality))
    assert encoded.digest == blake3(data).digest()
    assert encoded.size_bytes == len(data)
    return encoded


def back(encoded, as_format=None):
    return decode_payload("name", encoded.codec_id, encoded.payload, encoded.size_bytes, encoded.digest, as_format)


PHOTO = pictures.photo(256, 192)


@pytest.mark.parametrize("make", [pictures.png, pictures.jpeg, pictures.webp, pictures.bmp])
@pytest.mark.parametrize(("mode", "codec_id"), [(Mode.FAST, codecs.LEARNED), (Mode.LZMA, codecs.LATENTS)])
def test_photographs_are_coded_and_keep_their_format(make, mode, codec_id):
    data = make(PHOTO) if make is not pictures.jpeg else make(PHOTO, quality=97)
    encoded = code(data, mode)
    assert encoded.codec_id == codec_id
    assert encoded.photo is not None
    assert not encoded.note
    assert len(encoded.payload) < len(data)
    assert back(encoded)[:2] == data[:2]
    picture = decode_image("name", encoded.codec_id, encoded.payload, encoded.size_bytes, encoded.digest)
    assert picture.size == (256, 192)


@pytest.mark.parametrize(
    ("data", "codec_id"),
    [
        (b"", codecs.STORE),
        (b"x", codecs.STORE),
        (b"lines of text\n" * 200, codecs.LZMA),
        (np.random.default_rng(0).bytes(5000), codecs.STORE),
        (pictures.jpeg(PHOTO), codecs.DCT),
        (pictures.jpeg(PHOTO)[:-900], codecs.DCT),
        (pictures.cmyk_jpeg(PHOTO), codecs.DCT),
    ],
    ids=["empty", "byte", "text", "noise", "jpeg", "cut jpeg", "cmyk jpeg"],
)
def test_lossless_mode_gives_back_every_byte(data, codec_id):
    encoded = code(data, Mode.LOSSLESS)
    assert (encoded.codec_id, encoded.photo) == (codec_id, None)
    assert len(encoded.payload) <= len(data)
    assert back(encoded) == data


@pytest.mark.parametrize(
    "data",
    [
        pictures.png(pictures.screenshot(300, 200)),
        pictures.png(PHOTO[:40, :40]),
        pictures.jpeg(PHOTO, tail=b"film"),
        pictures.cmyk_jpeg(PHOTO),
    ],
    ids=["screenshot", "tiny", "tail", "cmyk"],
)
def test_what_is_no_photograph_is_kept_bit_exact_and_said(data):
    encoded = code(data)
    assert encoded.photo is None
    assert encoded.note
    assert back(encoded) == data


def test_a_photograph_that_would_grow_is_kept_bit_exact():
    data = pictures.jpeg(PHOTO, quality=12)
    encoded = code(data, quality=100)
    assert encoded.photo is None
    assert encoded.note == "not 10% smaller than bit-exact"
    assert back(encoded) == data


def test_a_jpeg_is_coded_again_only_for_a_gain():
    data = pictures.jpeg(PHOTO, quality=80)
    bit_exact = len(code(data, Mode.LOSSLESS).payload)
    lossy = len(encode_file(data, CodingOptions(quality=60, min_gain_percent=0)).payload)
    gain = 100 * (1 - lossy / bit_exact)
    assert 5 < gain < 90
    for asked, is_lossy in ((0, True), (gain - 1, True), (gain + 1, False), (99, False)):
        encoded = encode_file(data, CodingOptions(quality=60, min_gain_percent=asked))
        assert (encoded.photo is not None) is is_lossy, asked
        assert len(encoded.payload) == (lossy if is_lossy else bit_exact)
    assert encoded.note == "not 99% smaller than bit-exact"
    png = encode_file(pictures.png(PHOTO), CodingOptions(quality=60, min_gain_percent=99))
    assert png.photo is not None  # nothing was lost before


@pytest.mark.parametrize("options", [CodingOptions(), CodingOptions(min_gain_percent=0)])
def test_a_flat_jpeg_is_smaller_bit_exact_and_kept_so(options):
    ramp = np.repeat(np.arange(800, dtype=np.uint8)[None, :, None] // 4, 600, 0).repeat(3, 2)
    for pixels in (np.full((600, 800, 3), (10, 60, 200), np.uint8), ramp):
        data = pictures.jpeg(pixels, quality=90)
        encoded = encode_file(data, options)
        assert encoded.photo is None
        assert len(encoded.payload) < 0.2 * len(data)


def test_the_default_gain_is_the_documented_one():
    assert CodingOptions().min_gain_percent == 10


def test_a_photograph_that_would_grow_is_given_up_before_it_is_synthesised(monkeypatch):
    monkeypatch.setattr(Hyperprior, "synthesize", lambda *_: pytest.fail("was synthesised"))
    assert code(pictures.jpeg(PHOTO, quality=12), quality=100).note == "not 10% smaller than bit-exact"


def test_a_codec_that_fails_costs_the_coder_not_the_file(monkeypatch):
    def broken(*_):
        raise PayloadError("the decoder does not read back the encoder's latents")

    monkeypatch.setattr(PhotoCodec, "encode", broken)
    data = pictures.png(PHOTO)
    encoded = code(data)
    assert encoded.photo is None
    assert "does not read back" in encoded.note
    assert back(encoded) == data


def test_as_format_is_obeyed_by_photographs_and_ignored_by_the_rest():
    encoded = code(pictures.png(PHOTO))
    assert back(encoded, "jpeg")[:3] == b"\xff\xd8\xff"
    assert back(encoded, "webp")[:4] == b"RIFF"
    text = code(b"lines of text\n" * 200)
    assert back(text, "jpeg") == b"lines of text\n" * 200


def test_wrong_bytes_never_pass_the_digest():
    encoded = code(b"lines of text\n" * 200)
    with pytest.raises(PayloadCorrupt, match="BLAKE3"):
        decode_payload("name", encoded.codec_id, encoded.payload, encoded.size_bytes, bytes(32))
    with pytest.raises(PayloadCorrupt):
        decode_payload("name", codecs.STORE, b"abc", 4, blake3(b"abcd").digest())


def test_unknown_codecs_and_no_pictures_are_named():
    with pytest.raises(UnsupportedCodec, match="codec ID 99"):
        decode_payload("name", 99, b"", 0, bytes(32))
    text = code(b"lines of text\n" * 200)
    with pytest.raises(DecodeFailed, match="not a picture"):
        decode_image("name", text.codec_id, text.payload, text.size_bytes, text.digest)


def test_image_of_a_kept_file():
    encoded = code(pictures.png(pictures.screenshot(300, 200)))
    picture = decode_image("name", encoded.codec_id, encoded.payload, encoded.size_bytes, encoded.digest)
    assert isinstance(picture, Image.Image)
    assert picture.size == (300, 200)


@pytest.mark.parametrize("mode", [Mode.FAST, Mode.LZMA])
def test_tuning_reaches_the_payload(mode):
    found = {tuning: encode_file(pictures.png(PHOTO), CodingOptions(mode, tuning=tuning)) for tuning in Tuning}
    assert {tuning: parse_header(encoded.payload).model_id for tuning, encoded in found.items()} == CODED_WITH


def test_default_quality_is_the_documented_one():
    assert CodingOptions().quality == 75
    assert CodingOptions().tuning is Tuning.SSIM
    assert CodingOptions().mode is Mode.FAST


def test_effort_makes_photographs_smaller_and_no_worse():
    """At the same quality asked for, though a lower one is coded with."""
    plain, searched = (encode_file(pictures.png(PHOTO), CodingOptions(quality=90, tuning=Tuning.PSNR, effort=e)) for e in (5, 8))
    assert plain.codec_id == searched.codec_id == codecs.LEARNED
    assert plain.photo is not None
    assert searched.photo is not None
    assert plain.photo.quality == searched.photo.quality == 90
    assert parse_header(searched.payload).quality_c < parse_header(plain.payload).quality_c == 9000
    assert len(searched.payload) < 0.98 * len(plain.payload)
    assert searched.photo.psnr_db > plain.photo.psnr_db - 0.3


def test_time_is_allowed_where_it_is_needed():
    slow = CodingOptions(tuning=Tuning.PSNR, effort=9)
    assert slow.slowness > CodingOptions(tuning=Tuning.PSNR, effort=7).slowness > 1
    assert CodingOptions(effort=9).slowness == slow.slowness
    assert CodingOptions(tuning=Tuning.PSNR).slowness == 1
    assert CodingOptions(Mode.LOSSLESS, effort=9).slowness == 1
