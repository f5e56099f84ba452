"""The archivers that are measured, and how one of them packs and unpacks a folder: every command is one that a user would type."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from photoarc.folderbench import childprocess
from photoarc.folderbench.childprocess import Finished
from photoarc.jobs import spawning

PHOTOARC = (sys.executable, "-P", "-m", "photoarc")


@dataclass(frozen=True, slots=True)
class Tool:
    """An archiver. `{archive}`, `{name}` (the folder, seen from its parent), `{parent}` and `{dest}` are filled in."""

    name: str
    ending: str
    pack: tuple[str, ...]
    unpack: tuple[str, ...]
    programs: tuple[str, ...] = ()  # all must be installed
    hint: str = ""

    def installed(self) -> bool:
        """Whether all of its programs are."""
        return all(spawning.program(program) for program in self.programs)


def tools(modes: Sequence[str], qualities: Sequence[float]) -> list[Tool]:
    """The peers, then photoarc in each mode and, where it matters, quality."""
    unpack_tar = ("tar", "-xf", "{archive}", "-C", "{dest}")
    peers = [
        Tool("tar", ".tar", ("tar", "-cf", "{archive}", "-C", "{parent}", "{name}"), unpack_tar, ("tar",), _install("tar", "gnu-tar")),
        Tool(
            "zip",
            ".zip",
            ("zip", "-q", "-r", "-y", "{archive}", "{name}"),
            ("unzip", "-q", "{archive}", "-d", "{dest}"),
            ("zip", "unzip"),
            _install("zip unzip"),
        ),
        sevenzip("7-Zip"),
        tar_with("zstd -19", "zstd -19 -T0", "zstd", ".tar.zst"),
        tar_with("xz", "xz -T0", "xz", ".tar.xz"),
    ]
    ours = []
    for mode in modes:
        for quality in qualities if mode != "lossless" else (None,):
            name = f"photoarc {mode}" + (f" q{quality:g}" if quality is not None else "")
            asked = ("--quality", f"{quality:g}") if quality is not None else ()
            ours.append(photoarc(name, "--mode", mode, *asked))
    return peers + ours


def photoarc(name: str, *asked: str) -> Tool:
    """The photoarc that is running, with options of pack."""
    return Tool(name, ".pha", (*PHOTOARC, "pack", "-q", *asked, "{name}", "{archive}"), (*PHOTOARC, "unpack", "-q", "{archive}", "{dest}"))


def sevenzip(name: str, *asked: str) -> Tool:
    """7-Zip under the name that it has here, with options of `a`."""
    program = next((program for program in ("7zz", "7z", "7za") if spawning.program(program)), "7zz")
    quiet = ("-y", "-bso0", "-bsp0", "-snl")  # links as links, as tar keeps them
    pack, unpack = (program, "a", *asked, *quiet, "{archive}", "{name}"), (program, "x", *quiet, "-o{dest}", "{archive}")
    return Tool(name, ".7z", pack, unpack, (program,), _install("7zip", "sevenzip") + ", or from 7-zip.org")


def tar_with(name: str, command: str, program: str, ending: str) -> Tool:
    """Archives of tar through a compressor, which unpacks as `program`."""
    pack = ("tar", "--use-compress-program", command, "-cf", "{archive}", "-C", "{parent}", "{name}")
    unpack = ("tar", "--use-compress-program", program, "-xf", "{archive}", "-C", "{dest}")
    return Tool(f"tar + {name}", ending, pack, unpack, ("tar", program), _install({"xz": "xz-utils"}.get(program, program), program))


def _install(package: str, brew: str = "") -> str:
    """What to type for a Debian package, or what Homebrew calls it."""
    return f"brew install {brew or package}" if sys.platform == "darwin" else f"apt install {package}"


def typed(tool: Tool, name: str) -> tuple[str, str]:
    """How it packs a folder of that name and unpacks it, as one would type it beside the folder."""

    def line(command: Sequence[str]) -> str:
        words = ("photoarc", *command[len(PHOTOARC) :]) if command[: len(PHOTOARC)] == PHOTOARC else command
        return shlex.join(word.format(archive=f"{name}{tool.ending}", name=name, parent=".", dest="back") for word in words)

    return line(tool.pack), line(tool.unpack)


def once(tool: Tool, source: Path, work: Path) -> tuple[Finished, Finished, str]:
    """Pack and unpack, and what went wrong in words ("": nothing)."""
    values = {"archive": str(work / f"archive{tool.ending}"), "name": source.name, "parent": str(source.parent), "dest": str(work / "back")}
    done = []
    for what, command, place in (("pack", tool.pack, source.parent), ("unpack", tool.unpack, work)):
        filled = [part.format(**values) for part in command]
        try:
            finished = childprocess.run(filled, place, work / "errors")
        except OSError as error:
            finished = Finished(0, 127, None, str(error))
        done.append(finished)
        if finished.code:
            return done[0], done[-1], f"{what} ended with code {finished.code}: {finished.message or 'it says nothing more'}"
    return done[0], done[1], ""
