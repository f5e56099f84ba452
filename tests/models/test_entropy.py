"""Tables and ANS streams: exact frequencies, mirrored groups, escapes, damage."""

import numpy as np
import pytest
import reference_decoder as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from photoarc.entropy import stack
from photoarc.entropy.ans import Decoder, Encoder
from photoarc.entropy.stack import PRECISION
from photoarc.entropy.tables import Table, split


def table(reach, seed=0, peak=6.0):
    """A random bell of 2 * reach + 2 frequencies, some of them 1."""
    rng = np.random.default_rng(seed)
    p = np.exp(-np.abs(np.arange(-reach, reach + 1)) / peak) * rng.uniform(0.5, 1.5, 2 * reach + 1)
    f = np.append(np.maximum(1, np.floor(p / p.sum() * ((1 << PRECISION) - 4 * reach - 8))), 1).astype(np.int64)
    f[reach] += (1 << PRECISION) - f.sum()
    return Table(f.astype(np.uint32))


TABLES = [table(1, 1, 0.3), table(3, 2, 0.6), table(40, 3), table(1023, 4, 90.0)]


def stream(symbols, index, tables=TABLES):
    encoder = Encoder()
    encoder.push(symbols, index, tables)
    return encoder.finish()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 400))
def test_groups_by_table_come_back_in_place(seed, count):
    rng = np.random.default_rng(seed)
    index = rng.integers(0, len(TABLES) + 1, count).astype(np.uint8)
    symbols = np.rint(rng.laplace(0, rng.choice([0.3, 3, 300]), count)).astype(np.int32)
    symbols[index == 0] = 0
    decoder = Decoder(stream(symbols, index))
    assert np.array_equal(decoder.pop(index, TABLES), symbols)
    decoder.finish()


def test_runs_that_are_known_are_used_for_their_own_group_only():
    rng = np.random.default_rng(5)
    groups = [rng.integers(0, len(TABLES) + 1, 200).astype(np.uint8) for _ in range(3)]
    symbols = [np.where(index, rng.integers(-1, 2, 200), 0).astype(np.int32) for index in groups]
    encoder, other = Encoder(), Encoder()
    for index, values in zip(reversed(groups), reversed(symbols), strict=True):
        encoder.push(values, index, TABLES)
        other.push(values, index[::-1].copy(), TABLES)
    written = encoder.finish()
    assert [known.are_of(index, TABLES) for known, index in zip(encoder.runs, reversed(groups), strict=True)] == [True] * 3
    assert not encoder.runs[0].are_of(groups[0], TABLES)
    assert not encoder.runs[0].are_of(groups[2], [*TABLES])
    for known in ((), encoder.runs, encoder.runs[1:], other.runs):
        decoder = Decoder(written, known)
        assert all(np.array_equal(decoder.pop(index, TABLES), values) for index, values in zip(groups, symbols, strict=True))
        decoder.finish()


def test_the_stream_is_the_page_of_integer_arithmetic():
    """constriction's bytes decode with the plain-Python coder of docs/: its tables are exactly our frequencies."""
    rng = np.random.default_rng(5)
    index = rng.integers(1, len(TABLES) + 1, 3000).astype(np.uint8)
    symbols = np.rint(rng.laplace(0, 2, 3000)).astype(np.int32)
    plain = reference.Stream(stream(symbols, index))
    for i, t in enumerate(TABLES, 1):
        wanted = symbols[index == i]
        assert plain.pop(t.frequencies, len(wanted)) == wanted.tolist()
    assert plain.ans.state == 0
    assert not plain.ans.words
    assert not plain.escapes


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 300), st.binary(max_size=24))
def test_the_plain_stack_is_constriction_s(seed, count, junk):
    """Same words, same symbols, also of words that nobody wrote, and behind their end."""
    rng = np.random.default_rng(seed)
    runs = [(t.frequencies, rng.integers(0, len(t.frequencies), count).astype(np.int32)) for t in TABLES]
    words = np.frombuffer(junk[: len(junk) // 4 * 4] + b"\1\0\0\0", "<u4").astype(np.uint32)
    quick, plain = stack.stack(), stack.PlainStack()
    for frequencies, symbols in runs:
        quick.encode_reverse(symbols, stack.model(frequencies))
        plain.encode_reverse(symbols, stack.PlainModel(frequencies))
    assert quick.get_compressed().tolist() == plain.get_compressed().tolist()
    for pair in ((quick, plain), (stack.stack(words), stack.PlainStack(words))):
        for frequencies, _ in reversed(runs):
            found = [coder.decode(make(frequencies), count) for coder, make in zip(pair, (stack.model, stack.PlainModel), strict=True)]
            assert np.array_equal(*found)
        assert pair[0].is_empty() == pair[1].is_empty()


def test_without_constriction_the_same_bytes(monkeypatch):
    rng = np.random.default_rng(6)
    index = rng.integers(0, len(TABLES) + 1, 2000).astype(np.uint8)
    symbols = np.where(index, np.rint(rng.laplace(0, 2, 2000)), 0).astype(np.int32)
    written = stream(symbols, index)
    monkeypatch.setattr(stack, "constriction", None)
    tables = [Table(t.frequencies) for t in TABLES]
    assert stream(symbols, index, tables) == written
    decoder = Decoder(written)
    assert np.array_equal(decoder.pop(index, tables), symbols)
    decoder.finish()


@pytest.mark.parametrize("extreme", [32767, -32767, 1024, -1024])
def test_escapes_hold_every_16_bit_value(extreme):
    symbols = np.array([0, extreme, 1, -extreme, extreme], np.int32)
    index = np.array([1, 1, 2, 3, 4], np.uint8)
    assert np.array_equal(Decoder(stream(symbols, index)).pop(index, TABLES), symbols)


def test_cost_is_the_entropy_of_the_table():
    t = TABLES[2]
    rng = np.random.default_rng(7)
    p = t.frequencies[:-1] / t.frequencies[:-1].sum()
    symbols = (rng.choice(len(p), 50_000, p=p) - t.reach).astype(np.int32)
    bits = -np.log2(t.frequencies[symbols + t.reach] / (1 << PRECISION)).sum()
    assert len(stream(symbols, np.full(50_000, 3, np.uint8))) * 8 <= bits * 1.0005 + 200


def test_no_symbols_make_an_empty_stream():
    assert stream(np.zeros(9, np.int32), np.zeros(9, np.uint8)) == bytes(8)


@pytest.mark.parametrize("cut", [0, 7, 8, 11])
def test_a_cut_stream_is_refused(cut):
    data = stream(np.arange(-9, 9, dtype=np.int32), np.full(18, 3, np.uint8))
    with pytest.raises(ValueError, match="expected"):
        Decoder(data[:cut] if cut else data + b"\0")


def test_unread_symbols_are_noticed():
    index = np.full(50, 3, np.uint8)
    decoder = Decoder(stream(np.arange(50, dtype=np.int32) % 7, index))
    decoder.pop(index[:20], TABLES)
    with pytest.raises(ValueError, match="goes on"):
        decoder.finish()


def test_more_escapes_than_listed_are_noticed():
    symbols, index = np.array([500, 600], np.int32), np.array([1, 1], np.uint8)
    data = bytearray(stream(symbols, index))
    data[4] = 1
    with pytest.raises(ValueError, match="escapes more"):
        Decoder(bytes(data[:-2])).pop(index, TABLES)


@pytest.mark.parametrize(
    "row",
    [[1 << 24], [(1 << 24) - 2, 1, 1], [0, 1 << 23, 1 << 22, 1 << 22], [1, 1, 1, 1]],
    ids=["one", "odd", "zero", "sum"],
)
def test_rows_that_are_no_tables_are_refused(row):
    with pytest.raises(ValueError, match="not a table"):
        split(np.array([len(row)], np.uint32), np.array(row, np.uint32))


def test_lengths_must_fill_the_rows():
    with pytest.raises(ValueError, match="expected 5"):
        split(np.array([5], np.uint32), np.ones(4, np.uint32))
