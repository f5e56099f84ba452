"""docs/reference_png.py and reference_deflate.py, which are docs/format.md section 7.7 as plain code, and photoarc agree on every byte."""

from __future__ import annotations

import random
import zlib

import numpy as np
import pictures
import pytest
import reference_deflate
import reference_png as reference
from png_files import ALPHA, DEEP, PHOTO, TILES, png_file

from photoarc.codecs import png, png_rows
from photoarc.codecs.zlib_streams import fast_matches, huffman, long_matches, retrace
from photoarc.codecs.zlib_streams import tokens as deflate
from photoarc.codecs.zlib_streams.matches import Parameters
from photoarc.pictures import libjxl

FILES = {
    "rgb, small chunks": png_file(PHOTO[:50], 2, idat=100),
    "grey": png_file(PHOTO[:50, :, :1], 0),
    "grey and alpha": png_file(PHOTO[:50, :, :2], 4),
    "alpha, bytes behind the end": png_file(ALPHA[:30], 6, tail=b"trailing bytes"),
    "level 4, filtered": png_file(PHOTO[:30], 2, 4, strategy=zlib.Z_FILTERED),
    "level 9, filtered, memory 9": png_file(PHOTO[:30], 2, 9, 9, strategy=zlib.Z_FILTERED),
    "level 5, memory 6": png_file(PHOTO[:30], 2, 5, 6),
    "level 7": png_file(PHOTO[:30], 2, 7),
    "level 8": png_file(PHOTO[:30], 2, 8),
    "fixed codes": png_file(PHOTO[:50], 2, strategy=zlib.Z_FIXED),
    "16 bits": png_file(DEEP[:40], 2, depth=16),
    "level 1": png_file(PHOTO[:50], 2, 1),
    "level 2, filtered, memory 9": png_file(PHOTO[:50], 2, 2, 9, strategy=zlib.Z_FILTERED),
    "level 3": png_file(PHOTO[:50], 2, 3),
    "runs": png_file(PHOTO[:50] & 0xF0, 2, 1, strategy=zlib.Z_RLE),
    "Huffman codes only": png_file(PHOTO[:50], 2, 6, strategy=zlib.Z_HUFFMAN_ONLY),
    "samples by LZMA": png_file(TILES, 3, 4),
}


@pytest.mark.parametrize("name", FILES)
def test_files(name: str) -> None:
    payload = png.encode(FILES[name])
    by_lzma = reference.split(payload)[0][3] & 8
    samples = np.empty(0) if by_lzma else libjxl.decode(reference.split(payload)[2])
    assert bool(by_lzma) == ("LZMA" in name)
    assert reference.decode(payload, samples.astype(samples.dtype.newbyteorder(">")).tobytes()) == FILES[name]


def repetitive(rng: random.Random, size_bytes: int) -> bytes:
    """Runs, copies from near and far with a few changes, noise: long chains, long and short matches, distances around every limit."""
    out = bytearray(rng.randbytes(40))
    while len(out) < size_bytes:
        kind = rng.randrange(5)
        if kind == 0:
            out += bytes([rng.randrange(4)]) * rng.randrange(1, 300)
        elif kind == 1:
            out += bytes(rng.choices(b"abc", k=rng.randrange(1, 60)))
        elif kind == 2:
            out += rng.randbytes(rng.randrange(1, 200))
        else:
            distance = min(rng.choice((rng.randrange(1, 40), rng.randrange(1, 4200), rng.randrange(32400, 32600))), len(out))
            start = len(out) - distance
            piece = bytearray(out[start : start + rng.choice((3, 4, 5, 6, 31, 32, 33, 100, 257, 258, 259, 300))])
            if kind == 4:
                piece[rng.randrange(len(piece))] ^= 1
            out += piece
    return bytes(out[:size_bytes])


@pytest.mark.parametrize("four", [False, True])
@pytest.mark.parametrize("greedy", [False, True])
@pytest.mark.parametrize("level", [4, 5, 6, 7, 8, 9])
def test_tokens(level: int, greedy: bool, four: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without exceptions. Cutting the data in stretches, as photoarc does to bound memory, changes nothing."""
    monkeypatch.setattr(long_matches, "_MOST_WORDS", 1 << 30)
    rng = random.Random(level)
    data = repetitive(rng, {4: 40_000, 5: 36_000}.get(level, 3_000))  # the window is 32,768
    parameters = Parameters(level, rng.choice((1, 5, 8, 9)), rng.randrange(2), rng.random() < 0.5, four, greedy)
    flags = parameters.strategy | parameters.far << 1 | four << 4 | greedy << 5
    expected = reference_deflate.tokens(data, parameters.level, parameters.memory, flags, {})
    for stretch_bytes in (1 << 20, 5000):
        monkeypatch.setattr(retrace, "_STRETCH_BYTES", stretch_bytes)
        found = retrace.replay(np.frombuffer(data, np.uint8), parameters)
        assert list(zip(found[0].tolist(), found[1].tolist(), strict=True)) == expected


@pytest.mark.parametrize(("level", "strategy"), [(1, 0), (2, 1), (3, 0), (6, zlib.Z_HUFFMAN_ONLY), (6, zlib.Z_RLE)])
@pytest.mark.parametrize("seed", range(4))
def test_tokens_and_exceptions(level: int, strategy: int, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of fast levels and strategies. Exceptions of any kind, some of them where no token starts."""
    rng = random.Random(seed)
    data = repetitive(rng, 45_000) + bytes(rng.choices(b"abc", k=3000))
    parameters = Parameters(level, rng.choice((1, 5, 8, 9)), strategy)
    where = sorted(rng.sample(range(len(data) - 300), 200 * (seed % 2)))
    wrong = [rng.choice(((1, 0), (3, 7), (rng.randrange(4, 259), rng.randrange(1, 32769)))) for _ in where]
    lengths, distances = np.array([*wrong, (0, 0)], np.uint16)[:-1].T
    exceptions = retrace.Exceptions(np.array(where, np.int64), lengths, distances)
    flags = strategy & 1 | strategy >> 1 << 6
    expected = reference_deflate.tokens(data, level, parameters.memory, flags, dict(zip(where, wrong, strict=True)))
    for stretch_bytes in (1 << 20, 5000):
        monkeypatch.setattr(retrace, "_STRETCH_BYTES", stretch_bytes)
        monkeypatch.setattr(fast_matches, "_STRETCH_BYTES", stretch_bytes)
        found = retrace.replay(np.frombuffer(data, np.uint8), parameters, exceptions)
        assert list(zip(found[0].tolist(), found[1].tolist(), strict=True)) == expected


@pytest.mark.parametrize("level", [3, 6])
def test_the_end_of_the_window(level: int) -> None:
    """Strings that come again at each distance around the limit, as nearest candidates and as second ones."""
    rng = random.Random(4)
    data = bytearray(rng.choices(range(16), k=36_000))  # their hashes are none of those of the marks
    for second in (False, True):
        for k in range(8):
            mark = bytes([200 + k, 210 + second, 220, 230, 231, 232])
            at = 100 + 20 * k + 1000 * second
            for where in (at, at + 32_502 + k):
                data[where : where + 6] = mark
            if second:
                data[at + 300 : at + 304] = mark[:4]
    found = retrace.replay(np.frombuffer(data, np.uint8), Parameters(level, 9))
    tokens = list(zip(found[0].tolist(), found[1].tolist(), strict=True))
    assert tokens == reference_deflate.tokens(bytes(data), level, 9, 0, {})
    assert [distance for _, distance in tokens if distance > 32_495] == [*range(32_502, 32_507), *range(32_502, 32_506)]


def test_headers() -> None:
    rng = random.Random(7)
    for _ in range(60):
        skew = rng.choice((1, 2, 8, 40))
        literals = [int(rng.random() ** skew * 3000) for _ in range(286)]
        literals[256] = 1
        distances = [int(rng.random() ** skew * 300) for _ in range(30)] if rng.random() < 0.8 else [0] * 30
        if rng.random() < 0.2:  # Fibonacci's: deeper than 15 bits
            fibonacci = [1, 1]
            while len(fibonacci) < 25:
                fibonacci.append(fibonacci[-1] + fibonacci[-2])
            literals = fibonacci + [0] * 231 + [1] + [0] * 29
        bits = reference_deflate.header(literals, distances)
        value, count = huffman.zlib_header(literals, distances)
        assert bits == f"{value:0{count}b}"[::-1]
        trees = deflate.read_header(value)[1]
        assert reference_deflate.read_header(bits) == (trees[0].tolist(), trees[1].tolist())


def test_rows() -> None:
    types = bytes(k % 5 for k in range(40))
    samples = pictures.photo(24, 40)
    rows = png_rows.filtered(samples, np.frombuffer(types, np.uint8))
    assert reference.filtered(samples.tobytes(), 40, 72, 3, types) == rows.tobytes()
