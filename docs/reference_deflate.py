"""DEFLATE streams as zlib writes them, slow and plain: docs/format.md sections 7.7.1 and 7.7.2 as code, with the standard library only.

`tokens` finds the matches that zlib would, `deflated` writes them. Shares no code with photoarc and has no NumPy; reference_png.py uses it.
"""

from collections import defaultdict

LEVELS = {
    4: (4, 4, 16, 16),
    5: (8, 16, 32, 32),
    6: (8, 16, 128, 128),
    7: (8, 32, 128, 256),
    8: (32, 128, 258, 1024),
    9: (32, 258, 258, 4096),
}
FAST_LEVELS = {1: (4, 8, 4), 2: (5, 16, 8), 3: (6, 32, 32)}
LENGTH_BASE = [*range(3, 11), *range(11, 19, 2), *range(19, 35, 4), *range(35, 67, 8), *range(67, 131, 16), *range(131, 258, 32), 258]
LENGTH_EXTRA = [0] * 8 + [k for k in range(1, 6) for _ in range(4)] + [0]
DISTANCE_EXTRA = [0] * 4 + [k for k in range(1, 14) for _ in range(2)]
DISTANCE_BASE = [1 + sum(1 << bits for bits in DISTANCE_EXTRA[:k]) for k in range(30)]
META_ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)
Token = tuple[int, int]  # length and distance; a literal is (1, 0)


# 7.7.1: tokens


def hashes(data: bytes, memory: int, four: bool) -> list[int]:
    """The hash of the three bytes at each position, as in zlib, or of four, as in zlib-ng; zeros follow the data."""
    if four:
        padded = data + bytes(3)
        return [int.from_bytes(padded[i : i + 4], "little") * 2654435761 % 2**32 >> 16 for i in range(len(data))]
    bits = memory + 7
    shift, mask = (bits + 2) // 3, (1 << bits) - 1
    padded = data + bytes(2)
    return [((padded[i] << shift ^ padded[i + 1]) << shift ^ padded[i + 2]) & mask for i in range(len(data))]


def common(data: bytes, i: int, j: int) -> int:
    """Number of equal bytes from two positions on."""
    most, length = min(258, len(data) - i), 0
    while length < most and data[i + length] == data[j + length]:
        length += 1
    return length


def search(data: bytes, i: int, earlier: list[int], nice: int, chain: int) -> tuple[Token, Token]:
    """The longest match at i, the nearest of equals, and the same among a quarter of the candidates; (0, 0): none.

    `earlier`: positions before i with its hash, ascending.
    """
    best, distance, short = 2, 0, (0, 0)
    for k, j in enumerate(reversed(earlier[-chain:]), 1):
        if j == 0 or i - j > (32506 if k == 1 else 32505):
            break
        if data[j : j + best + 1] == data[i : i + best + 1]:  # else it is not longer; saves time only
            length = common(data, i, j)
            if length > best:
                best, distance = length, i - j
                short = (best, distance) if k <= chain // 4 else short
        if best >= min(nice, len(data) - i):
            break
    return (best, distance) if best >= 3 else (0, 0), short


def tokens(data: bytes, level: int, memory: int, flags: int, exceptions: dict[int, Token]) -> list[Token]:
    """All tokens; `exceptions` by the position where they start."""
    if flags & 64:
        return tokens_without_search(data, bool(flags & 1), exceptions)
    if level in FAST_LEVELS:
        return fast_tokens(data, level, memory, exceptions)
    filtered_strategy, far, four, greedy = (flags & bit for bit in (1, 2, 16, 32))
    good, lazy, nice, chain = LEVELS[level]
    lazy = 0 if greedy else lazy
    found: list[tuple[Token, Token]] = []  # usable matches at each position: with the whole chain, and with a quarter of it
    places: defaultdict[int, list[int]] = defaultdict(list)
    for i, key in enumerate(hashes(data, memory, bool(four))):
        pair = search(data, i, places[key], nice, chain)
        useless = [
            (length <= 5 if filtered_strategy else length == 3 and distance > 4096 and not far) or (four and length == 3)
            for length, distance in pair
        ]
        found.append(((0, 0) if useless[0] else pair[0], (0, 0) if useless[1] else pair[1]))
        places[key].append(i)
    found.append(((0, 0), (0, 0)))
    out: list[Token] = []
    p = state = 0
    while p < len(data):
        length, distance = found[p][state]
        hurried = length >= good
        gives_way = length < lazy and found[p + 1][hurried][0] > length
        token = (length, distance) if length >= 3 and not gives_way else (1, 0)
        token = exceptions.get(p, token)
        state = int(token[0] == 1 and length >= 3 and gives_way and hurried)
        out.append(token)
        p += token[0]
    assert p == len(data)
    return out


def fast_tokens(data: bytes, level: int, memory: int, exceptions: dict[int, Token]) -> list[Token]:
    """All tokens at levels 1-3."""
    longest_kept, nice, chain = FAST_LEVELS[level]
    keys, places = hashes(data, memory, four=False), defaultdict[int, list[int]](list)
    out: list[Token] = []
    p = 0
    while p < len(data):
        match, _ = search(data, p, places[keys[p]], nice, chain)
        length, distance = exceptions.get(p, match if match[0] else (1, 0))
        out.append((length, distance))
        for i in range(p, p + (length if length <= longest_kept else 1)):
            places[keys[i]].append(i)
        p += length
    assert p == len(data)
    return out


def tokens_without_search(data: bytes, runs: bool, exceptions: dict[int, Token]) -> list[Token]:
    """All tokens with the strategy Z_RLE, where runs are matches, or Z_HUFFMAN_ONLY."""
    out: list[Token] = []
    p = 0
    while p < len(data):
        length = common(data, p, p - 1) if runs and p else 0
        token = exceptions.get(p, (length, 1) if length >= 3 else (1, 0))
        out.append(token)
        p += token[0]
    assert p == len(data)
    return out


# 7.7.2: block headers


def code_lengths(frequencies: list[int], most_bits: int) -> list[int]:
    """Lengths of the Huffman codes that zlib builds, up to the last symbol in use."""
    count = len(frequencies)
    used = [n for n in range(count) if frequencies[n]]
    last = used[-1] if used else -1
    key = {n: (frequencies[n], 0) for n in used}
    while len(used) < 2:
        node = last + 1 if last < 2 else 0
        last = max(last, node)
        used.append(node)
        key[node] = (1, 0)
    heap = [-1, *used]

    def sift(k: int) -> None:
        node = heap[k]
        while 2 * k < len(heap):
            child = 2 * k
            if child + 1 < len(heap) and key[heap[child + 1]] <= key[heap[child]]:
                child += 1
            if key[node] <= key[heap[child]]:
                break
            heap[k] = heap[child]
            k = child
        heap[k] = node

    for k in range(len(used) // 2, 0, -1):
        sift(k)
    order, parent, node = [], {}, count
    while True:
        first = heap[1]
        heap[1] = heap[-1]
        heap.pop()
        sift(1)
        second = heap[1]
        order += [first, second]
        key[node] = (key[first][0] + key[second][0], max(key[first][1], key[second][1]) + 1)
        parent[first] = parent[second] = heap[1] = node
        if len(heap) == 2:
            break
        sift(1)
        node += 1
    depth, leaves, overflow = {node: 0}, [0] * (most_bits + 1), 0
    for n in reversed(order):
        depth[n] = depth[parent[n]] + 1
        if depth[n] > most_bits:
            depth[n] = most_bits
            overflow += 1
        if n < count:
            leaves[depth[n]] += 1
    if overflow:
        while overflow > 0:
            bits = most_bits - 1
            while not leaves[bits]:
                bits -= 1
            leaves[bits] -= 1
            leaves[bits + 1] += 2
            leaves[most_bits] -= 1
            overflow -= 2
        rising = iter([n for n in order if n < count])
        for bits in range(most_bits, 0, -1):
            for _ in range(leaves[bits]):
                depth[next(rising)] = bits
    return [depth.get(n, 0) if n in parent else 0 for n in range(last + 1)]


def runs(lengths: list[int]) -> list[tuple[int, int, int]]:
    """Code lengths as (symbol, extra value, extra bits) of RFC 1951 section 3.2.7."""
    out: list[tuple[int, int, int]] = []
    before, at = -1, 0
    while at < len(lengths):
        value = lengths[at]
        most, least = (138, 3) if value == 0 else (6, 3) if value == before else (7, 4)
        count = 1
        while count < most and at + count < len(lengths) and lengths[at + count] == value:
            count += 1
        at += count
        if count < least:
            out += [(value, 0, 0)] * count
        elif value:
            if value != before:
                out.append((value, 0, 0))
                count -= 1
            out.append((16, count - 3, 2))
        else:
            out.append((17, count - 3, 3) if count <= 10 else (18, count - 11, 7))
        before = value
    return out


def codes(lengths: list[int]) -> list[str]:
    """Canonical codes (RFC 1951 section 3.2.2), first bit first."""
    out, code = [""] * len(lengths), 0
    for bits in range(1, 16):
        for symbol, length in enumerate(lengths):
            if length == bits:
                out[symbol] = f"{code:0{bits}b}"
                code += 1
        code <<= 1
    return out


def number(value: int, bits: int) -> str:
    """A number in a DEFLATE stream: lowest bit first."""
    return f"{value:0{bits}b}"[::-1] if bits else ""


def header(literals: list[int], distances: list[int]) -> str:
    """Bits of zlib's header behind the three of the type."""
    trees = code_lengths(literals, 15), code_lengths(distances, 15)
    pieces = [run for tree in trees for run in runs(tree)]
    meta = code_lengths([sum(symbol == n for symbol, _, _ in pieces) for n in range(19)], 7)
    meta += [0] * (19 - len(meta))
    count = max(4, 1 + max(k for k in range(19) if meta[META_ORDER[k]]))
    table = codes(meta)
    out = number(len(trees[0]) - 257, 5) + number(len(trees[1]) - 1, 5) + number(count - 4, 4)
    out += "".join(number(meta[META_ORDER[k]], 3) for k in range(count))
    return out + "".join(table[symbol] + number(extra, bits) for symbol, extra, bits in pieces)


def read_header(bits: str) -> tuple[list[int], list[int]]:
    """Code lengths in a stored header."""
    at = 0

    def take(count: int) -> int:
        nonlocal at
        at += count
        return int(bits[at - count : at][::-1] or "0", 2)

    literals, distances, count = 257 + take(5), 1 + take(5), 4 + take(4)
    meta = [0] * 19
    for k in range(count):
        meta[META_ORDER[k]] = take(3)
    table = {code: symbol for symbol, code in enumerate(codes(meta)) if code}
    lengths: list[int] = []
    while len(lengths) < literals + distances:
        start = at
        while bits[start:at] not in table:
            at += 1
        symbol = table[bits[start:at]]
        if symbol < 16:
            lengths.append(symbol)
        elif symbol == 16:
            lengths += [lengths[-1]] * (3 + take(2))
        else:
            lengths += [0] * (3 + take(3) if symbol == 17 else 11 + take(7))
    return lengths[:literals], lengths[literals:]


# Blocks


def symbol_of(value: int, base: list[int]) -> int:
    """Index of the length or distance code."""
    return max(k for k in range(len(base)) if base[k] <= value)


def deflated(data: bytes, every: list[Token], blocks: list[tuple[int, int, str]]) -> bytes:
    """The DEFLATE stream; blocks are (type, tokens, header bits or nothing)."""
    out, at, first = [], 0, 0
    for n, (kind, count, stored) in enumerate(blocks):
        literals, distances, coded = [0] * 286, [0] * 30, []
        for length, distance in every[first : first + count]:
            if distance:
                k, d = symbol_of(length, LENGTH_BASE), symbol_of(distance, DISTANCE_BASE)
                coded.append(
                    (257 + k, number(length - LENGTH_BASE[k], LENGTH_EXTRA[k]), d, number(distance - DISTANCE_BASE[d], DISTANCE_EXTRA[d]))
                )
                distances[d] += 1
            else:
                coded.append((data[at], "", -1, ""))
            literals[coded[-1][0]] += 1
            at += length
        first += count
        literals[256] = 1
        out.append(number(int(n == len(blocks) - 1) | kind << 1, 3))
        if kind == 1:
            trees = [8] * 144 + [9] * 112 + [7] * 24 + [8] * 8, [5] * 30
        else:
            bits = stored or header(literals, distances)
            out.append(bits)
            trees = read_header(bits)
        literal_codes, distance_codes = codes(trees[0]), codes(trees[1])
        out += [literal_codes[s] + extra + (distance_codes[d] + more if d >= 0 else "") for s, extra, d, more in coded]
        out.append(literal_codes[256])
    assert first == len(every)
    bits = "".join(out)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[k : k + 8][::-1], 2) for k in range(0, len(bits), 8))
