"""Tables of JPEG coefficients that are nearly the same become one: runs of one table are what decoding calls cost.

Neighbours in scale or fraction are merged, the pair that costs the fewest bits first, until all merges together cost LOSS of all bits.
"""

import heapq

import numpy as np

LOSS = 3e-4
NOISE_BITS = 0.72  # what each count of a table seems to win by chance: half of log2 e


def bits(masses: np.ndarray) -> float:
    """Bits of symbols with these counts, by the table that they make."""
    some = masses[masses > 0]
    return float(some.sum() * np.log2(some.sum()) - (some * np.log2(some)).sum())


def merge(masses: np.ndarray, fractions: int, loss: float = LOSS) -> np.ndarray:
    """Counts (scales x fractions, symbols) -> the table of each, numbered by their first members."""
    members = {k: [k] for k in range(len(masses))}
    sums, own = dict(enumerate(masses)), {k: bits(mass) for k, mass in enumerate(masses)}
    beside: dict[int, set[int]] = {k: set() for k in members}
    for k in members:
        for other in ([k + 1] if k % fractions < fractions - 1 else []) + ([k + fractions] if k + fractions < len(masses) else []):
            beside[k].add(other)
            beside[other].add(k)
    cost = lambda a, b: bits(sums[a] + sums[b]) - own[a] - own[b] - NOISE_BITS * np.count_nonzero(sums[a] + sums[b] >= 2)
    queue = [(cost(a, b), a, b) for a in members for b in beside[a] if a < b]
    heapq.heapify(queue)
    left, following = loss * sum(own.values()), len(masses)
    while queue and queue[0][0] <= left:
        lost, a, b = heapq.heappop(queue)
        if a not in members or b not in members:
            continue  # one of them is part of another by now
        left -= max(lost, 0)
        members[following], sums[following] = members.pop(a) + members.pop(b), sums[a] + sums[b]
        own[following] = bits(sums[following])
        beside[following] = (beside.pop(a) | beside.pop(b)) - {a, b}
        for other in beside[following]:
            beside[other] = beside[other] - {a, b} | {following}
            heapq.heappush(queue, (cost(other, following), other, following))
        following += 1
    found = np.empty(len(masses), np.uint16)
    for number, some in enumerate(sorted(map(sorted, members.values()))):
        found[some] = number
    return found
