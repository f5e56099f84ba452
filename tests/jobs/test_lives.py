"""Any life of an archive against a dictionary: packed, added to, updated, thinned out, moved, compacted, in any order."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import photoarc
from photoarc.errors import UsageError
from photoarc.jobs import rearrange
from photoarc.jobs.add import add
from photoarc.jobs.compact import compact
from photoarc.jobs.pack import pack
from photoarc.member import Kind
from photoarc.options import CodingOptions, Mode, PackOptions

LOSSLESS = PackOptions(CodingOptions(Mode.LOSSLESS, effort=0), workers=0, force=True)
NAMES = st.sampled_from(["a.txt", "b.txt", "c.bin", "d/a.txt", "d/b.bin", "d/e/f.dat"])
# Small files share groups, others stand alone; some have a common end, some are equal.
PICTURE = random.Random(1).randbytes(5000)
CONTENTS = (b"", b"text " * 150, b"more text " * 200, PICTURE, b"tag" + PICTURE, b"another tag" + PICTURE, PICTURE * 14)


class Life(RuleBasedStateMachine):
    """Files on a disk, and what the archive is to hold."""

    def __init__(self) -> None:
        super().__init__()
        self.before = os.getcwd()
        self.place = tempfile.mkdtemp()
        os.chdir(self.place)
        self.held: dict[str, bytes] | None = None
        self.clock = 0

    def teardown(self) -> None:
        os.chdir(self.before)
        shutil.rmtree(self.place)

    def on_disk(self) -> dict[str, bytes]:
        return {path.as_posix(): path.read_bytes() for path in Path("p").rglob("*") if path.is_file()}

    @rule(name=NAMES, contents=st.sampled_from(range(len(CONTENTS))))
    def write(self, name: str, contents: int) -> None:
        path = Path("p", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(CONTENTS[contents])
        self.clock += 1
        os.utime(path, (self.clock, self.clock))

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        Path("p", name).unlink(missing_ok=True)

    @precondition(lambda self: Path("p").is_dir())
    @rule()
    def pack(self) -> None:
        pack(["p"], "x.pha", LOSSLESS)
        self.held = self.on_disk()

    @precondition(lambda self: self.held is not None)
    @rule()
    def update(self) -> None:
        assert self.held is not None
        assert add(["p"], "x.pha", LOSSLESS, replace=True).packed.failures == ()
        self.held |= self.on_disk()

    @precondition(lambda self: self.held is not None)
    @rule()
    def add(self) -> None:
        assert self.held is not None
        failed = {failed.name for failed in add(["p"], "x.pha", LOSSLESS).packed.failures}
        assert failed == {name for name, data in self.on_disk().items() if self.held.get(name, data) != data}
        self.held = self.on_disk() | self.held

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        assert self.held is not None
        name = data.draw(st.sampled_from(sorted(self.held)))
        rearrange.remove("x.pha", [name])
        del self.held[name]

    @precondition(lambda self: self.held)
    @rule(data=st.data(), new=NAMES)
    def move(self, data: st.DataObject, new: str) -> None:
        assert self.held is not None
        name = data.draw(st.sampled_from(sorted(self.held)))
        with contextlib.suppress(UsageError):  # the name is taken
            rearrange.move("x.pha", name, f"p/{new}")
            self.held[f"p/{new}"] = self.held.pop(name)

    @precondition(lambda self: self.held is not None)
    @rule()
    def compact(self) -> None:
        before = Path("x.pha").stat().st_size
        assert compact("x.pha").after_bytes <= before

    @invariant()
    def holds(self) -> None:
        for scan in (False, True) if self.held is not None else ():
            with photoarc.open("x.pha", scan=scan) as archive:
                assert {member.display_name: archive.read(member) for member in archive if member.kind is Kind.FILE} == self.held
                assert archive.damaged == archive.warnings[scan:] == []


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
