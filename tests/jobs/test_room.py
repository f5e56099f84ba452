"""Memory of all workers together, and what the machine or its container has."""

from __future__ import annotations

import functools
import os
import time
from contextlib import closing
from pathlib import Path

import pytest

from photoarc.codecs import costs
from photoarc.codecs.costs import MIB, Cost
from photoarc.errors import UsageError
from photoarc.jobs import coding, machine, pack, workers
from photoarc.jobs.room import Budget, Room
from photoarc.options import CodingOptions, Mode, PackOptions


def group(root: Path, line: str, files: dict[str, str]) -> Path:
    """A system with one line in /proc/self/cgroup and these files below /sys/fs/cgroup."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(line + "\n")
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return root


@pytest.mark.parametrize(
    ("line", "files", "limit_bytes"),
    [
        ("0::/a/b", {"a/b/memory.max": "max", "a/memory.max": "300000000", "memory.max": "max"}, 300_000_000),
        ("0::/a/b", {"a/b/memory.high": "200000000", "a/memory.max": "300000000"}, 200_000_000),
        ("0::/", {"memory.max": "100000000"}, 100_000_000),
        ("0::/not/seen/from/here", {"memory.max": "100000000"}, 100_000_000),
        ("4:memory:/docker/x", {"memory/docker/x/memory.limit_in_bytes": "50000000"}, 50_000_000),
        ("4:memory:/docker/x", {"memory/memory.limit_in_bytes": "60000000"}, 60_000_000),
    ],
)
def test_limits_of_containers_count_all_the_way_up(tmp_path: Path, line: str, files: dict[str, str], limit_bytes: int) -> None:
    assert machine.memory_bytes(group(tmp_path, line, files)) == limit_bytes


@pytest.mark.parametrize(
    ("line", "files"),
    [
        ("0::/a/b", {"a/b/cpu.max": "max 100000", "a/cpu.max": "100000 100000"}),
        ("0::/", {"cpu.max": "50000 100000"}),
        ("3:cpu,cpuacct:/x", {"cpu,cpuacct/x/cpu.cfs_quota_us": "100000", "cpu,cpuacct/x/cpu.cfs_period_us": "100000"}),
    ],
)
def test_the_quota_of_a_container_bounds_the_cores(tmp_path: Path, line: str, files: dict[str, str]) -> None:
    assert machine.usable_cores(group(tmp_path, line, files)) == 1


def test_without_limits_the_machine_counts(tmp_path: Path) -> None:
    root = group(tmp_path, "0::/", {"memory.max": "max", "cpu.max": "max 100000"})
    assert machine.memory_bytes(root) == machine.memory_bytes(tmp_path / "nothing") > 1 << 28
    assert machine.usable_cores(root) == machine.usable_cores(tmp_path / "nothing")
    v1 = group(
        tmp_path / "v1", "3:cpu:/\n4:memory:/", {"cpu/cpu.cfs_quota_us": "-1", "memory/memory.limit_in_bytes": str((1 << 63) - 4096)}
    )
    assert machine.memory_bytes(v1) == machine.memory_bytes(tmp_path / "nothing")


def test_sizes() -> None:
    assert [machine.size(text) for text in ("1G", "512m", "1.5GiB", "2000 kB", "7", None)] == [
        10**9,
        512_000_000,
        3 << 29,
        2 * 10**6,
        7,
        None,
    ]
    for text in ("", "G", "-1G", "0", "1X", "nan"):
        with pytest.raises(UsageError, match="is no size"):
            machine.size(text)


def test_room_for_items_and_what_idle_workers_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    held = {1: 30 * MIB, 2: 30 * MIB, 3: 30 * MIB}
    monkeypatch.setattr(Room, "_held", lambda self, process: held[process])
    room = Room(1500 * MIB)
    lossy = Cost(500 * MIB, 1.0, 400 * MIB)
    assert room.give(lossy, [1, 2, 3], []) in held
    assert room.give(lossy, [2, 3], [1]) in (2, 3)
    assert room.give(lossy, [3], [1, 2]) is None
    held[2] = 420 * MIB  # done: its networks are still there, and are used again
    assert room.give(lossy, [2, 3], [1]) == 2
    held[2] = 420 * MIB
    assert room.give(Cost(300 * MIB, 1.0), [2], [1]) == 2  # beside the networks: 660
    assert room.give(Cost(700 * MIB, 1.0), [2, 3], []) == 2
    assert room.give(Cost(3000 * MIB, 1.0), [1, 2, 3], []) is None
    assert room.hoards(2)
    assert not room.hoards(3)


def test_idle_workers_are_replaced_only_if_that_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Room, "_held", lambda self, process: 420 * MIB)
    room = Room(1500 * MIB)  # for workers: 1,182
    room.note(1, Cost(500 * MIB, 1.0))
    assert room.give(Cost(600 * MIB, 1.0, 0), [2, 3], [1]) is None
    assert room.would_fit(Cost(600 * MIB, 1.0), [2, 3], [1])
    assert not room.would_fit(Cost(700 * MIB, 1.0), [2, 3], [1])


def note(item: tuple[str, float]) -> tuple[float, float]:
    """Worker: when it was at work."""
    started = time.monotonic()
    time.sleep(item[1])
    return started, time.monotonic()


def test_what_does_not_fit_beside_the_others_waits_and_runs_alone() -> None:
    items = [("small", 0.2), ("huge", 0.2), ("small", 0.2), ("small", 0.2)]
    alone: list[str] = []
    budget: Budget[tuple[str, float]] = Budget(
        1000 * MIB, lambda item: Cost((2000 if item[0] == "huge" else 200) * MIB, 1.0), lambda item, _: alone.append(item[0])
    )
    with closing(workers.run(note, items, workers=2, cost=lambda _: 1, budget=budget)) as outcomes:
        spans = [outcome.value for outcome in outcomes]
    assert alone == ["huge"]
    assert all(span is not None for span in spans)
    huge = spans[1]
    assert huge is not None
    for number, span in enumerate(spans):
        if number != 1 and span is not None:
            assert span[1] <= huge[0] or span[0] >= huge[1]


def meet(folder: Path, item: str) -> bool:
    """Worker: "dear" holds memory, and ends when "long" has begun; "long" ends when "next" has begun; whether they met."""
    if item == "dear":
        globals()["kept"] = b"x" * (160 * MIB)
    (folder / item).touch()
    awaited = {"dear": "long", "long": "next"}.get(item)
    until = time.monotonic() + 20
    while awaited and not (folder / awaited).exists() and time.monotonic() < until:
        time.sleep(0.01)
    return not awaited or (folder / awaited).exists()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="what an idle process holds is asked of Linux")
def test_what_idle_workers_hold_makes_room_while_others_work(tmp_path: Path) -> None:
    """An item does not wait for the busy ones if only what an idle worker holds stands in its way."""
    budget: Budget[str] = Budget(1000 * MIB, lambda item: Cost({"dear": 200, "long": 300, "next": 400}[item] * MIB, 1.0, 0))
    run = workers.run(functools.partial(meet, tmp_path), ["dear", "long", "next"], workers=2, cost=lambda _: 1, budget=budget)
    with closing(run) as outcomes:
        assert [outcome.value for outcome in outcomes] == [True, True, True]


def fill(folder: Path, item: str) -> tuple[float, float]:
    """Worker: holds memory from then on; dies at the first try of "unlucky"; says when it was at work."""
    started = time.monotonic()
    if item == "unlucky" and not (folder / "tried").exists():
        (folder / "tried").touch()
        os._exit(9)
    if item == "large":
        globals()["kept"] = b"x" * (160 * MIB)
    (folder / f"{item} {os.getpid()}").touch()
    time.sleep(0.1)
    return started, time.monotonic()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="what an idle process holds is asked of Linux")
def test_a_suspect_is_tried_again_beside_nothing_not_even_what_idle_workers_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[int] = []
    give = workers._Crew._give

    def watched(self: workers._Crew[str, tuple[float, float]], worker: workers._Worker[str, tuple[float, float]], slot: object) -> None:
        if slot.deaths and self.room is not None:  # type: ignore[attr-defined]
            held.extend(self.room._held(other.process.pid or 0) for other in self.workers if other.ready)
        give(self, worker, slot)  # type: ignore[arg-type]

    monkeypatch.setattr(workers._Crew, "_give", watched)
    budget: Budget[str] = Budget(1000 * MIB, lambda item: Cost((300 if item == "large" else 100) * MIB, 1.0))
    items = ["large", "large", "unlucky", "small"]
    run = workers.run(functools.partial(fill, tmp_path), items, workers=2, cost=lambda _: 1, budget=budget)
    spans = [outcome.value for outcome in run]
    assert all(spans)
    assert held
    assert max(held) < 100 * MIB
    again = spans[2]
    for span in spans[:2] + spans[3:]:
        assert span is not None
        assert again is not None
        assert span[1] <= again[0] or span[0] >= again[1]


def test_memory_changes_nothing_in_an_archive(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(4):
        (tmp_path / "in" / f"{number}.bin").write_bytes(os.urandom(70_000) + b"text " * 5000)
    for name, memory in (("small", 10**6), ("usual", None)):
        options = PackOptions(CodingOptions(Mode.LOSSLESS), 2, memory_bytes=memory)
        done = pack.pack([tmp_path / "in"], tmp_path / f"{name}.pha", options)
        assert len([text for text in done.warnings if "more than all workers are to have" in text]) == (4 if memory else 0)
    assert (tmp_path / "small.pha").read_bytes() == (tmp_path / "usual.pha").read_bytes()


def test_what_is_foreseen_of_a_source_is_read_from_its_header(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (3000, 2000)).save(tmp_path / "large.jpg")
    found, _ = pack.scan([tmp_path / "large.jpg"])
    foreseen = coding.foresee(CodingOptions(Mode.LOSSLESS), found[0])
    assert foreseen.memory_bytes > costs.general(found[0].size_bytes).memory_bytes + 50 * MIB
