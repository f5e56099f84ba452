"""A slow, plain decoder of `dct` payloads down to their coefficients: docs/format.md sections 7.11 and 10 as code.

    python docs/reference_coefficients.py PAYLOAD MODEL_FOLDER     # prints the checksum that it finds and the one that is stored

Shares no code with photoarc and uses neither ONNX Runtime nor constriction: networks are int64 NumPy with the weights read from the ONNX
files, entropy decoding is the plain Python of reference_decoder.py. Tests compare it with photoarc coefficient by coefficient. What
follows after the coefficients is Huffman coding as ITU-T T.81 has it.
"""

import lzma
import struct
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from reference_byte_networks import Network
from reference_decoder import Stream

HEADER = struct.Struct("<BBH16s")
PICTURE = struct.Struct("<BHIIIII")
# Tables K.3, K.5, K.4 and K.6 of ITU-T T.81 as DHT segments; the symbols of AC end in all pairs of 1..15 and 1..10 that are not before.
HUFFMAN = (
    ("00", "00010501010101010100000000000000", "000102030405060708090a0b"),
    ("10", "0002010303020403050504040000017d", "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282"),
    ("01", "00030101010101010101010000000000", "000102030405060708090a0b"),
    ("11", "00020102040403040705040400010277", "000102031104052131061241510761711322328108144291a1b1c109233352f0156272d10a162434e125f1"),
)
LUMA = (1, 3, 6, 10, 15, 21, 28, 36, 49, 64)
CHROMA = (1, 3, 6, 15, 36, 64)
WHITE, BLACK = ((0, 0), (1, 1)), ((0, 1), (1, 0))
PHASES = ((1, 1), (0, 1), (1, 0))
SIDES = ((0, -1), (0, 1), (-1, 0), (1, 0))
AROUND = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1), (-2, 0), (2, 0), (0, -2), (0, 2))


@dataclass
class Component:
    """One component: blocks and quantisation steps as the head says, then what is known, dequantised (64, even rows, even columns)."""

    rows: int
    columns: int
    steps: np.ndarray

    def __post_init__(self) -> None:
        self.shifts = np.zeros(64, np.int64)
        self.known = np.zeros((64, self.rows + self.rows % 2, self.columns + self.columns % 2), np.int64)

    def coefficients(self) -> np.ndarray:
        """Quantised (64, rows, columns)."""
        return self.known[:, : self.rows, : self.columns] // self.steps[:, None, None]

    def tiles(self) -> list[tuple[int, int, int, int]]:
        """Section 10.5: first row, end of rows, first column, end of columns of each."""
        sides = []
        for n in (self.rows, self.columns):
            count = -(-n // 32)
            side = 2 * -(-n // (2 * count))
            sides.append([(k * side, min((k + 1) * side, n)) for k in range(count)])
        return [(*down, *across) for down in sides[0] for across in sides[1]]


class Model:
    """Section 10.1: a model folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.networks: dict[str, Network] = {}
        with np.load(folder / "tables.npz", allow_pickle=False) as t:
            self.tables = np.split(t["frequencies"], np.cumsum(t["lengths"])[:-1])
            self.log_limits, self.spread = (t[name].astype(np.int64) for name in ("log_limits", "spread"))
            self.table_of = t["table_of"]
            self.log_quantiser, self.scale_quantiser = (t[name].astype(np.int64) for name in ("log_quantiser", "scale_quantiser"))

    def network(self, name: str) -> Network:
        """Read once."""
        if name not in self.networks:
            self.networks[name] = Network(self.folder / f"{name}.onnx")
        return self.networks[name]

    def log(self, values: np.ndarray) -> np.ndarray:
        """Section 10.2: signed logarithm."""
        return np.sign(values) * np.searchsorted(self.log_limits, np.minimum(np.abs(values), 4095), side="right")

    def log_steps(self, component: Component, which: slice, shape: tuple[int, ...]) -> np.ndarray:
        """Section 10.2: what networks see of quantisation, the same at all blocks."""
        logs = self.log_quantiser[component.steps]
        return np.broadcast_to(np.append(logs[which], logs[1:6].sum() // 5)[:, None, None], (len(logs[which]) + 1, *shape))

    def locate(
        self, scale: np.ndarray, shift: np.ndarray, component: Component, which: slice, linear: np.ndarray | None
    ) -> tuple[np.ndarray, ...]:
        """Section 10.4: number of the table (from 0), offset and sign of the symbol; `linear` in 1/256."""
        steps = component.steps[which, None, None]
        row = np.clip((scale + 114 - self.scale_quantiser[steps]) >> 2, 0, len(self.spread) - 1)
        mean = self.spread[row, np.clip(shift, -31, 31) + 31]
        if linear is not None:
            mean = mean + linear // (8 * steps)
        offset = np.clip((mean + 16) >> 5, -2047, 2047)
        fraction = (np.clip(mean - 32 * offset, -16, 16) + 1) >> 1
        row = np.clip(row + component.shifts[which, None, None], 0, len(self.spread) - 1)
        return self.table_of[row * 9 + np.abs(fraction)], offset, np.where(fraction < 0, -1, 1)


def at(t: np.ndarray, dy: int, dx: int) -> np.ndarray:
    """Array t at (y + dy, x + dx), edges repeated."""
    rows, columns = (np.arange(n) + d for n, d in zip(t.shape, (dy, dx), strict=True))
    return t[rows.clip(0, t.shape[0] - 1)[:, None], columns.clip(0, t.shape[1] - 1)]


class Walk:
    """Sections 10.5 to 10.7: everything of one component after the other."""

    def __init__(self, model: Model, stream: Stream, plain: bytes) -> None:
        self.model, self.stream, self.plain = model, stream, plain

    def tops(self, count: int) -> np.ndarray:
        """The next ones of what is plain."""
        found, self.plain = np.frombuffer(self.plain[: 2 * count], "<i2"), self.plain[2 * count :]
        return found.astype(np.int64)

    def active(self, count: int) -> list[int]:
        """The same of active groups."""
        size = (count + 1) // 2
        halves = [half for pair in self.plain[:size] for half in (pair & 15, pair >> 4)]
        assert not any(halves[count:])
        self.plain = self.plain[size:]
        return halves[:count]

    def group(self, located: Sequence[np.ndarray]) -> np.ndarray:
        """Coefficients of a group (N,), from table, offset and sign of each."""
        table, offset, sign = located
        symbols = np.zeros(len(table), np.int64)
        for number in np.unique(table):
            where = table == number
            symbols[where] = self.stream.pop(self.model.tables[number], int(where.sum()))
        return offset + sign * symbols

    def dc(self, name: str, component: Component, side: Sequence[np.ndarray]) -> None:
        """All levels of DC."""
        step = 1
        while component.rows > 2 * step or component.columns > 2 * step:
            step *= 2
        rows, columns = -(-component.rows // step), -(-component.columns // step)
        coarse = self.tops(rows * columns).reshape(rows, columns) * component.steps[0]
        while step > 1:
            step //= 2
            rows, columns = -(-component.rows // step), -(-component.columns // step)
            coarse = self.finer(f"{name}_dc_{int(step > 1)}", component, coarse, side if step == 1 else [], rows, columns)
        padding = zip(component.known.shape[1:], coarse.shape, strict=True)
        component.known[0] = np.pad(coarse, [(0, even - n) for even, n in padding], mode="edge")

    def finer(self, name: str, component: Component, coarse: np.ndarray, side: Sequence[np.ndarray], rows: int, columns: int) -> np.ndarray:
        """One level (rows, columns) from the one above."""
        model, step = self.model, component.steps[0]
        right, down = at(coarse, 0, 1), at(coarse, 1, 0)
        full = np.empty((2 * coarse.shape[0], 2 * coarse.shape[1]), np.int64)
        full[0::2, 0::2] = coarse
        full[0::2, 1::2] = (coarse + right + 1) >> 1
        full[1::2, 0::2] = (coarse + down + 1) >> 1
        full[1::2, 1::2] = (coarse + right + down + at(coarse, 1, 1) + 2) >> 2
        for phase, (i, j) in enumerate(PHASES):
            here = full[i:rows:2, j:columns:2]
            if not here.size:
                continue
            around = model.log(np.stack([at(full, dy, dx) - full for dy, dx in AROUND]))
            logs = model.log_steps(component, slice(0, 1), full.shape)
            network = model.network(f"{name}_{phase}")
            scale, shift = network(np.concatenate([around, np.abs(around), logs, model.log(full)[None], *side]))
            wide = np.pad(full.clip(-2047, 2047), 2, mode="edge")
            linear = network.linear(wide[None])[:, 2:-2, 2:-2] + 256 * full
            located = model.locate(scale, shift, component, slice(0, 1), linear)
            here[...] = self.group([part[0, i:rows:2, j:columns:2].ravel() for part in located]).reshape(here.shape) * step
            if phase == 0:
                middle = full[1::2, 1::2]
                full[0::2, 1::2] = (coarse + right + middle + at(middle, -1, 0) + 2) >> 2
                full[1::2, 0::2] = (coarse + down + middle + at(middle, 0, -1) + 2) >> 2
        return full[:rows, :columns]

    def ac(self, name: str, starts: Sequence[int], component: Component, energies: Sequence[np.ndarray], beside: Component | None) -> None:
        """AC coefficients, group by group."""
        model, known, dc = self.model, component.known, component.known[0]
        left, right, up, down = (at(dc, dy, dx) for dy, dx in SIDES)
        cross = at(dc, 1, 1) + at(dc, -1, -1) - at(dc, -1, 1) - at(dc, 1, -1)
        slopes = np.stack([right - left, down - up, left + right - 2 * dc, up + down - 2 * dc, cross])
        moves, bends = model.log(np.stack([left, right, up, down]) - dc), model.log(slopes[:4])
        near = np.concatenate([moves, np.abs(moves), bends, np.abs(bends), *energies])
        tiles = component.tiles()
        active = self.active(len(tiles))
        assert max(active) < len(starts)
        for group, (start, end) in enumerate(pairwise(starts)):
            steps, coded = component.steps[start:end], [tile for tile, groups in zip(tiles, active, strict=True) if groups > group]
            if not coded:
                break
            for black, fields in enumerate((WHITE, BLACK)):
                features = [near, pairs(model.log(known[1 : end if black else start]))]
                features += [pairs(model.log(beside.known[start:end]))] if beside else []
                features += [model.log_steps(component, slice(start, end), dc.shape)]
                network = model.network(f"{name}_{group}_{black}")
                scale, shift = network(np.concatenate(features))
                linear = None
                if start < 21:
                    linear = network.linear(np.concatenate([slopes, known[1 : end if black else start]]).clip(-2047, 2047))
                located = model.locate(scale, shift, component, slice(start, end), linear)
                places = [np.s_[:, top + i : bottom : 2, left + j : right : 2] for i, j in fields for top, bottom, left, right in coded]
                values = self.group([np.concatenate([part[place].ravel() for place in places]) for part in located])
                for place in places:
                    here = known[start:end][place]
                    here[...] = values[: here.size].reshape(here.shape) * steps[:, None, None]
                    values = values[here.size :]


def pairs(logs: np.ndarray) -> np.ndarray:
    """The first, its magnitude, the second, its magnitude, and so on."""
    return np.stack([logs, np.abs(logs)], 1).reshape(-1, *logs.shape[1:])


def luma_energies(model: Model, luma: Component, chroma: Component) -> np.ndarray:
    """Section 10.8: mean logarithms of luma's groups over the blocks of each block of chroma, zero where chroma has none."""
    found = np.zeros((len(LUMA) - 1, *chroma.known.shape[1:]), np.int64)
    down, across = luma.rows // chroma.rows, luma.columns // chroma.columns
    logs = np.abs(model.log(luma.known))
    for group, (start, end) in enumerate(pairwise(LUMA)):
        for y in range(chroma.rows):
            for x in range(chroma.columns):
                blocks = logs[start:end, y * down : (y + 1) * down, x * across : (x + 1) * across]
                found[group, y, x] = blocks.sum() // blocks.size
    return found


def surroundings(model: Model, cb: Component) -> list[np.ndarray]:
    """Section 10.8: what the DC of Cr sees of Cb."""
    dc = cb.known[0]
    moves = model.log(np.stack([at(dc, dy, dx) - dc for dy, dx in SIDES]))
    first = model.log(cb.known[1:5])
    return [moves, np.abs(moves), first, np.abs(first)]


def components(head: bytes) -> list[Component]:
    """Components of a JPEG head: ITU-T T.81 annexes A.2 and B.2."""
    tables, rows, size, place = {}, [], (0, 0), 2
    while place < len(head):
        while head[place + 1] == 0xFF:
            place += 1
        marker, (length,) = head[place + 1], struct.unpack_from(">H", head, place + 2)
        body = head[place + 4 : place + 2 + length]
        place += 2 + length
        if marker in (0xC0, 0xC1):
            size = struct.unpack_from(">HH", body, 1)
            rows = [body[k : k + 3] for k in range(6, len(body), 3)]
        while marker == 0xDB and body:
            wide, number = body[0] >> 4, body[0] & 15
            tables[number] = np.minimum(struct.unpack_from(">64H" if wide else ">64B", body, 1), 255)
            body = body[129 if wide else 65 :]
    factors = [(row[1] & 15, row[1] >> 4) for row in rows] if len(rows) > 1 else [(1, 1)]
    down, across = (-(-n // (8 * max(axis))) for n, axis in zip(size, zip(*factors, strict=True), strict=True))
    return [Component(down * v, across * h, tables[row[2]]) for (v, h), row in zip(factors, rows, strict=True)]


def huffman_segments() -> bytes:
    """What Deflate looks back to at the start of a head."""
    out = b""
    for kind, counts, first in HUFFMAN:
        symbols = bytes.fromhex(first)
        if kind[0] == "1":
            symbols += bytes(s for s in range(256) if 1 <= s & 15 <= 10 and s not in symbols)
        out += b"\xff\xc4" + struct.pack(">H", 19 + len(symbols)) + bytes.fromhex(kind + counts) + symbols
    return out


def unpack_rest(packed: bytes, size: int) -> tuple[bytes, list[bytes]]:
    """Head and tail, zeros in place of thumbnails; these as they are coded."""
    at = 1 + 12 * packed[0]
    rows, coded = list(struct.iter_unpack("<III", packed[1:at])), []
    for _, _, n in rows:
        coded.append(packed[at : at + n])
        at += n
    method, rest = packed[at], packed[at + 1 :]
    assert method in range(3)
    if method == 1:
        options = {"id": lzma.FILTER_LZMA2, "dict_size": 1 << rest[0], "lc": rest[1] & 15, "lp": rest[1] >> 4, "pb": rest[2]}
        rest = lzma.decompress(rest[3:], lzma.FORMAT_RAW, filters=[options])
    elif method == 2:
        rest = zlib.decompressobj(-15, zdict=huffman_segments()).decompress(rest)
    for place, n, _ in rows:
        rest = rest[:place] + bytes(n) + rest[place:]
    assert len(rest) == size
    return rest, coded


def decode(payload: bytes, model: Model) -> list[tuple[list[np.ndarray], int, int]]:
    """Of the picture, then of each thumbnail: coefficients of each component, the checksum over them, and the stored checksum."""
    assert HEADER.unpack_from(payload)[0] == 2
    return decode_picture(payload[HEADER.size :], model)


def decode_picture(coded: bytes, model: Model) -> list[tuple[list[np.ndarray], int, int]]:
    """One picture and the thumbnails in its head."""
    bits, plain_bytes, head_bytes, rest_bytes, packed_bytes, stream_bytes, stored = PICTURE.unpack_from(coded)
    ends = np.cumsum([PICTURE.size, packed_bytes, plain_bytes, stream_bytes])
    assert ends[-1] == len(coded)
    packed, plain, stream_data = (coded[start:end] for start, end in pairwise(ends))
    rest, thumbnails = unpack_rest(packed, rest_bytes)
    found = components(rest[:head_bytes])
    end = 1 + stream_data[0]
    if end > 1:
        shifts = np.frombuffer(zlib.decompress(stream_data[1:end], -15), np.int8).reshape(-1, 64)
        for component, row in zip(found, shifts, strict=True):
            component.shifts[:] = row
    stream = Stream(stream_data[end:])
    walk = Walk(model, stream, plain)
    for component, name in zip(found, ["luma"] * 4 if bits & 4 else ["luma", "cb", "cr", "luma"], strict=False):
        energy = [luma_energies(model, found[0], component)] if name != "luma" else []
        beside = found[1] if name == "cr" else None
        walk.dc(name, component, [*energy, *(surroundings(model, beside) if beside else [])])
        walk.ac(name, LUMA if name == "luma" else CHROMA, component, energy, beside)
    assert not walk.plain
    assert not stream.escapes
    assert not stream.ans.words
    assert stream.ans.state == 0
    planes, checksum = [component.coefficients() for component in found], 0
    for plane in planes:
        checksum = zlib.crc32(plane.astype("<i2").tobytes(), checksum)
    return [(planes, checksum, stored), *(one for thumbnail in thumbnails for one in decode_picture(thumbnail, model))]


if __name__ == "__main__":
    for _, found_crc, stored_crc in decode(Path(sys.argv[1]).read_bytes(), Model(Path(sys.argv[2]))):
        print(f"found {found_crc:08x}, stored {stored_crc:08x}: {'equal' if found_crc == stored_crc else 'DIFFERENT'}")
