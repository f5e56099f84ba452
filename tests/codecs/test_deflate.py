"""DEFLATE streams taken apart and put together, and retraced from the data: always the same bits, whoever wrote them."""

import zlib

import numpy as np
import pictures
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photoarc.codecs.zlib_streams import fast_matches, long_matches, matches, retrace
from photoarc.codecs.zlib_streams import tokens as deflate
from photoarc.codecs.zlib_streams.matches import Parameters
from photoarc.codecs.zlib_streams.retrace import Exceptions
from photoarc.errors import PayloadError

ROWS = pictures.photo(160, 120).reshape(120, -1)
PHOTO = np.diff(ROWS.astype(np.int16), axis=1, prepend=0).astype(np.uint8).tobytes()
TEXT = b"".join(b"%d bottles of beer on the wall\n" % (k * 7919 % 1000) for k in range(1000))
SAMPLES = {
    "photo": PHOTO,
    "text": TEXT,
    "zeros": bytes(30_000),
    "one byte": b"x",
    "mixed": PHOTO[:20_000] + bytes(3000) + TEXT[:9000],
    "an end that is followed by zeros further up": TEXT[:90] + bytes(300) + TEXT[:90] + b"!" + TEXT[:90],
}


def dots():
    """Flat areas with a dot now and then: thousands of candidates for every match, and none of them the longest it can be."""
    raw = np.zeros(1 << 17, np.uint8)
    raw[::50] = np.random.default_rng(3).integers(0, 256, len(raw[::50]))
    return raw.tobytes()


DOTS = dots()


def deflated(data, level=6, memory=8, strategy=zlib.Z_DEFAULT_STRATEGY):
    made = zlib.compressobj(level, zlib.DEFLATED, -15, memory, strategy)
    return made.compress(data) + made.flush()


def written(data, stream):
    raw, offsets = np.frombuffer(data, np.uint8), np.append(0, np.cumsum(stream.lengths, dtype=np.int64))
    writer, token = deflate.Writer(), 0
    for number, block in enumerate(stream.blocks, 1):
        end = token + block.tokens
        piece = raw[offsets[token] : offsets[end]]
        writer.block(block, piece, stream.lengths[token:end], stream.distances[token:end], final=number == len(stream.blocks))
        token = end
    return writer.finish()


@pytest.mark.parametrize("data", SAMPLES.values(), ids=SAMPLES)
@pytest.mark.parametrize("level", [1, 6, 9])
@pytest.mark.parametrize("strategy", [zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE, zlib.Z_FIXED])
def test_parse_and_write_are_inverse(data, level, strategy):
    packed = deflated(data, level, 8, strategy)
    stream = deflate.parse(packed)
    if any(block.kind == deflate.STORED for block in stream.blocks):
        return  # their bytes are no tokens; codecs.png refuses them
    assert int(stream.lengths.sum(dtype=np.int64)) == len(data)
    assert written(data, stream) == packed


def test_stored_blocks_are_parsed():
    assert deflate.parse(deflated(b"abc" * 100, level=0)).blocks == (deflate.Block(deflate.STORED, 300),)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 3000), st.integers(1, 255))
def test_any_bytes_parse_or_are_refused(noise, at, mask):
    packed = bytearray(deflated(TEXT[:8000]))
    packed[at % len(packed)] ^= mask
    for data in (noise, bytes(packed), bytes(packed[:at])):
        try:
            deflate.parse(data)
        except (PayloadError, IndexError, ValueError):  # the last two become PayloadErrors in codecs.png
            continue


def retraced(data, level, strategy=zlib.Z_DEFAULT_STRATEGY, memory=8):
    """Parameters and the share of exceptions that bring all tokens back."""
    made = zlib.compressobj(level, zlib.DEFLATED, 15, memory, strategy)
    packed = made.compress(data) + made.flush()
    raw, stream = np.frombuffer(data, np.uint8), deflate.parse(packed[2:-4])
    parameters, exceptions = retrace.differences(raw, stream, packed[1] >> 6)
    lengths, distances = retrace.replay(raw, parameters, exceptions)
    assert np.array_equal(lengths, stream.lengths)
    assert np.array_equal(distances, stream.distances)
    return parameters, len(exceptions.positions) / len(stream.lengths)


@pytest.mark.parametrize("data", [*SAMPLES.values(), DOTS], ids=[*SAMPLES, "dots"])
@pytest.mark.parametrize("level", [1, 2, 3, 4, 5, 6, 7, 8, 9])
def test_every_stream_is_retraced(data, level):
    assert retraced(data, level)[1] <= 0.001  # another level may explain the middle as well


@pytest.mark.parametrize("data", [*SAMPLES.values(), DOTS], ids=[*SAMPLES, "dots"])
@pytest.mark.parametrize("strategy", [zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE])
def test_streams_without_a_search_are_retraced(data, strategy):
    parameters, share = retraced(data, 6, strategy)
    assert parameters.strategy in (zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE)
    assert share == 0


@pytest.mark.parametrize("memory", [5, 8, 9])
@pytest.mark.parametrize(("level", "strategy"), [(1, zlib.Z_DEFAULT_STRATEGY), (2, zlib.Z_FILTERED), (3, zlib.Z_DEFAULT_STRATEGY)])
def test_fast_levels_are_recognized(level, strategy, memory):
    assert retraced(PHOTO + TEXT + PHOTO, level, strategy, memory) == (Parameters(level, memory), 0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 400), st.integers(0, 255)), min_size=1, max_size=60), st.integers(1, 3))
def test_fast_streams_of_repetitive_data_have_no_exceptions(pieces, level):
    """Copies from 1..40 pieces before and further back: long matches, positions inside of which are in no chain."""
    data = bytearray(b"0123456789")
    for distance, length, byte in pieces:
        start = max(len(data) - distance * 7, 0)
        data += (data[start:] * length)[:length] + bytes([byte])
    made = deflate.parse(deflated(bytes(data), level))
    found = retrace.replay(np.frombuffer(data, np.uint8), Parameters(level))
    assert found[0].tolist() == made.lengths.tolist()
    assert found[1].tolist() == made.distances.tolist()


@settings(max_examples=20, deadline=None)
@given(st.data(), st.sampled_from([Parameters(1), Parameters(3), Parameters(6, strategy=zlib.Z_RLE)]))
def test_tokens_that_differ_become_exceptions(choices, parameters):
    """Matches of zlib's that were taken apart by whoever wrote the stream."""
    data = np.frombuffer(TEXT[:9000] + bytes(600) + PHOTO[:9000], np.uint8)
    tokens = [*zip(*(column.tolist() for column in retrace.replay(data, parameters)), strict=True)]
    for at in choices.draw(st.lists(st.integers(0, len(tokens) - 1), min_size=1, max_size=9)):
        length, _ = tokens[at]
        tokens[at : at + 1] = [(1, 0)] * length
    lengths, distances = (np.array(column, np.uint16) for column in zip(*tokens, strict=True))
    stream = deflate.Stream((deflate.Block(deflate.DYNAMIC, len(tokens)),), lengths, distances)
    found, exceptions = retrace.differences(data, stream, 0)
    assert len(exceptions.positions) <= len(tokens) // 10
    again = retrace.replay(data, found, exceptions)
    assert np.array_equal(again[0], lengths)
    assert np.array_equal(again[1], distances)


@pytest.mark.parametrize("level", [1, 3, 6])
@pytest.mark.parametrize("stretch", [40_000, 1 << 20])
def test_stretches_do_not_matter_for_the_result(monkeypatch, stretch, level):
    monkeypatch.setattr(retrace, "_STRETCH_BYTES", stretch)
    monkeypatch.setattr(fast_matches, "_STRETCH_BYTES", stretch)
    assert retraced(PHOTO + TEXT[:20_000] + bytes(45_000) + PHOTO[::-1], level) == (Parameters(level), 0)


def test_exceptions_that_do_not_fit_are_refused():
    raw = np.frombuffer(PHOTO, np.uint8)
    wrong = Exceptions(np.array([0]), np.array([60_000], np.uint16), np.array([1], np.uint16))
    for parameters in (Parameters(1), Parameters(6), Parameters(6, strategy=zlib.Z_RLE)):
        with pytest.raises(PayloadError, match="do not fit"):
            retrace.replay(raw, parameters, wrong)


def test_what_takes_too_long_is_refused(monkeypatch):
    monkeypatch.setattr(long_matches, "_MOST_WORDS", 1)
    with pytest.raises(PayloadError, match="too repetitive"):
        retrace.replay(np.frombuffer(DOTS, np.uint8), Parameters(9))


def zlib_like(data, level):
    """A plain transcription of zlib's deflate_slow: hash chains, lazy evaluation. (lengths, distances)."""
    good, lazy, nice, chain = matches.LEVELS[level]
    heads, tokens, at, pending = {}, [], 0, None

    def longest(at, best):
        limit, found = chain >> 2 if best >= good else chain, (best, 0)
        for before in reversed(heads.get(data[at : at + 3], [])):
            if at - before > long_matches.MAX_DISTANCE or not limit:
                break
            limit -= 1
            length = 0
            while length < 258 and at + length < len(data) and data[before + length] == data[at + length]:
                length += 1
            if before and length > found[0]:
                found = length, at - before
                if length >= nice:
                    break
        return found

    while at < len(data):
        length, distance = 2, 0
        if at + 3 <= len(data) and (pending is None or pending[0] < lazy):
            length, distance = longest(at, pending[0] if pending else 2)
            if not distance or (length == 3 and distance > matches.TOO_FAR):
                length, distance = 2, 0
        if pending and pending[0] > 2 and length <= pending[0]:
            tokens.append(pending)
            for skipped in range(at, at - 1 + pending[0]):
                heads.setdefault(data[skipped : skipped + 3], []).append(skipped)
            at += pending[0] - 1
            pending = None
            continue
        if pending:
            tokens.append((1, 0))
        heads.setdefault(data[at : at + 3], []).append(at)
        pending = (length, distance)
        at += 1
    return [*tokens, (1, 0)] if pending else tokens


@pytest.mark.parametrize("data", [PHOTO[:6000], TEXT[:6000]], ids=["photo", "text"])
def test_the_prediction_is_what_zlib_publishes(data):
    tokens = zlib_like(data, 6)
    lengths, distances = (np.array(column, np.uint16) for column in zip(*tokens, strict=True))
    stream = deflate.Stream((deflate.Block(deflate.DYNAMIC, len(tokens)),), lengths, distances)
    parameters, exceptions = retrace.differences(np.frombuffer(data, np.uint8), stream, 2)
    assert parameters.level in (5, 6, 7)
    assert len(exceptions.positions) <= len(tokens) // 100
