"""The crew of workers: order, bounds, errors, and what happens when one dies."""

import functools
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from photoarc.errors import PhotoarcError, UnreadableSource
from photoarc.jobs import machine, workers
from photoarc.progress import heard_by, part, tell

SPAWNED = 2


def square(item: int) -> tuple[int, int]:
    return item * item, os.getpid()


def odd_jobs(folder: Path, item: str) -> str:
    """Dies always, dies once, raises on purpose, raises by mistake, or works."""
    if item == "killer":
        os.kill(os.getpid(), signal.SIGSEGV)
    if item == "unlucky" and not (folder / "unlucky").exists():
        (folder / "unlucky").touch()
        os._exit(9)
    if item == "unreadable":
        raise UnreadableSource("unreadable", "no permission")
    if item == "bug":
        raise ZeroDivisionError("oops")
    return item.upper()


def sleep_for_ever(folder: Path, item: int) -> None:
    if item:
        (folder / str(os.getpid())).touch()
        time.sleep(600)


def slow_job(item: int) -> int:
    for share in (0.25, 0.5, 0.75):
        time.sleep(0.4)
        tell(share)
    return item


def cost_of_one(_: object) -> int | None:
    return 1


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_in_process_and_crew_agree() -> None:
    here = list(workers.run(square, range(40), workers=0, cost=cost_of_one))
    there = list(workers.run(square, range(40), workers=SPAWNED, cost=cost_of_one))
    assert [outcome.value[0] for outcome in here if outcome.value] == [item * item for item in range(40)]
    assert [(outcome.item, outcome.value[0]) for outcome in there if outcome.value] == [(item, item * item) for item in range(40)]
    assert {outcome.value[1] for outcome in here if outcome.value} == {os.getpid()}
    assert os.getpid() not in {outcome.value[1] for outcome in there if outcome.value}


@pytest.mark.parametrize("crew", [0, 1, SPAWNED])
def test_items_without_a_cost_come_back_in_their_turn(crew: int) -> None:
    outcomes = list(workers.run(square, range(6), workers=crew, cost=lambda item: None if item % 2 else 1))
    assert [outcome.item for outcome in outcomes] == list(range(6))
    assert [outcome.value is None for outcome in outcomes] == [False, True] * 3


@pytest.mark.parametrize("crew", [0, SPAWNED])
def test_shares_of_slow_items_are_heard(crew: int) -> None:
    heard: list[tuple[int, float]] = []
    outcomes = list(workers.run(slow_job, [7, 8], workers=crew, cost=cost_of_one, heard=lambda item, share: heard.append((item, share))))
    assert [outcome.value for outcome in outcomes] == [7, 8]
    assert {item for item, _ in heard} == {7, 8}
    for item in (7, 8):
        shares = [share for heard_item, share in heard if heard_item == item]
        assert shares == [0, *sorted(set(shares) & {0.25, 0.5, 0.75}), 1]
    assert crew or len(heard) == 10  # workers speak now and then


def test_nobody_hears_what_others_are_told() -> None:
    outer: list[float] = []
    inner: list[float] = []
    tell(0.1)
    with heard_by(outer.append):
        tell(0.2)
        with heard_by(inner.append):
            tell(0.3)
        tell(0.4)
    tell(0.5)
    assert (outer, inner) == ([0.2, 0.4], [0.3])


def test_what_a_listener_raises_is_no_error_of_the_work() -> None:
    taken: list[Exception] = []

    def work() -> None:
        try:
            with part(0, 0.5):
                tell(0.5)
        except Exception as error:
            taken.append(error)

    def stop(share: float) -> None:
        raise ValueError(f"no more after {share}")

    with pytest.raises(ValueError, match=r"no more after 0\.25"), heard_by(stop):
        work()
    assert not taken


def test_a_death_is_blamed_on_one_item_and_the_job_goes_on(tmp_path: Path) -> None:
    items = ["a", "killer", "b", "unlucky", "unreadable", "bug", "c"]
    outcomes = {o.item: o for o in workers.run(functools.partial(odd_jobs, tmp_path), items, workers=SPAWNED, cost=cost_of_one)}
    assert list(outcomes) == items
    assert {name: o.value for name, o in outcomes.items() if o.value} == {
        "a": "A",
        "b": "B",
        "c": "C",
        "unlucky": "UNLUCKY",
    }
    assert "SIGSEGV" in outcomes["killer"].crash
    assert str(outcomes["unreadable"].error) == "unreadable: no permission"
    assert outcomes["bug"].crash == "ZeroDivisionError: oops"


def test_errors_in_process_are_told_apart_too(tmp_path: Path) -> None:
    outcomes = list(workers.run(functools.partial(odd_jobs, tmp_path), ["unreadable", "bug", "x"], workers=0, cost=cost_of_one))
    assert [(type(o.error).__name__, o.crash, o.value) for o in outcomes] == [
        ("UnreadableSource", "", None),
        ("NoneType", "ZeroDivisionError: oops", None),
        ("NoneType", "", "X"),
    ]


def test_the_window_bounds_what_is_read_ahead() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(50):
            taken.append(item)
            yield item

    with closing(workers.run(square, items(), workers=SPAWNED, cost=lambda _: 100, window_bytes=350)) as outcomes:
        for number, outcome in enumerate(outcomes):
            assert outcome.item == number
            assert len(taken) - number <= 5  # three in the window, the one in hand, one read to know its cost


def test_closing_ends_the_workers_at_once(tmp_path: Path) -> None:
    with closing(workers.run(functools.partial(sleep_for_ever, tmp_path), [0, 1, 2], workers=SPAWNED, cost=cost_of_one)) as job:
        assert next(job).item == 0  # the worker that did it has been given the next one
        deadline = time.monotonic() + 20
        while not list(tmp_path.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.05)
        pids = [int(path.name) for path in tmp_path.iterdir()]
        assert pids
        assert all(alive(pid) for pid in pids)
    assert not any(alive(pid) for pid in pids)


def test_an_item_that_takes_too_long_costs_itself_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "LEAST_SECONDS", 0.5)
    started = time.monotonic()
    sleep = functools.partial(sleep_for_ever, tmp_path)
    outcomes = list(workers.run(sleep, [0, 1, 0, 0], workers=SPAWNED, cost=cost_of_one, patience=2))
    assert [outcome.crash for outcome in outcomes] == ["", "its worker process died twice (no result in 1 s)", "", ""]
    assert time.monotonic() - started < 30
    assert len(list(tmp_path.iterdir())) == 2  # tried twice, by two processes
    assert not any(alive(int(path.name)) for path in tmp_path.iterdir())


def test_a_result_that_lay_waiting_is_not_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "LEAST_SECONDS", 1.0)
    with closing(workers.run(square, range(6), workers=SPAWNED, cost=cost_of_one)) as outcomes:
        for number, outcome in enumerate(outcomes):
            assert outcome.value
            assert outcome.value[0] == number * number
            time.sleep(1.2 if number < 2 else 0)


class Unwelcome:
    """A function that ends the worker that is given it, before it is ready."""

    def __call__(self, item: int) -> int:
        return item

    def __reduce__(self) -> tuple[object, ...]:
        return os._exit, (7,)


def test_workers_that_cannot_start_end_the_job_with_a_sentence() -> None:
    with pytest.raises(PhotoarcError, match=r"worker processes cannot be started \(the last one ended with exit code 7\); try -j 0"):
        list(workers.run(Unwelcome(), range(3), workers=SPAWNED, cost=cost_of_one))


def test_every_end_of_a_worker_is_told_in_words(tmp_path: Path) -> None:
    for number in (signal.SIGABRT, signal.SIGBUS):
        (outcome, _) = workers.run(functools.partial(die_of, number), [1, 0], workers=SPAWNED, cost=cost_of_one)
        assert (outcome.crash, outcome.blameless) == (f"its worker process died twice ({number.name})", False)
    for number in (signal.SIGKILL, signal.SIGTERM):  # by somebody else: the item need not be to blame
        (outcome, _) = workers.run(functools.partial(die_of, number), [1, 0], workers=SPAWNED, cost=cost_of_one)
        said = f"its worker process was killed twice ({number.name}; by the system if memory is short; try -j 1)"
        assert (outcome.crash, outcome.blameless) == (said, True)
    (outcome, _) = workers.run(functools.partial(die_of, -9), [1, 0], workers=SPAWNED, cost=cost_of_one)
    assert outcome.crash == "its worker process died twice (exit code 9)"


def die_of(number: int, item: int) -> None:
    if item:
        os._exit(-number) if number < 0 else os.kill(os.getpid(), number)


def allocate(size_bytes: int) -> int:
    return len(bytearray(size_bytes))


@pytest.mark.skipif(sys.platform != "linux", reason="macOS and Windows do not limit address space")
def test_memory_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "address_limit_bytes", lambda: 2 << 30)
    small, large = list(workers.run(allocate, [1 << 20, 3 << 30], workers=SPAWNED, cost=cost_of_one))
    assert (small.value, large.value, large.crash) == (1 << 20, None, "MemoryError")


def test_limits_leave_room_for_honest_work() -> None:
    assert workers.time_limit_s(0) >= 60
    assert workers.time_limit_s(100_000_000) > 3600
    assert workers.time_limit_s(1000, 5) == 5 * workers.time_limit_s(1000)
    assert machine.address_limit_bytes() == 0 or machine.address_limit_bytes() >= 4 << 30


def test_usable_cores_respects_affinity() -> None:
    assert 1 <= machine.usable_cores() <= (os.cpu_count() or 1)
