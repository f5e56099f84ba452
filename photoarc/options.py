"""What the user asks for: options, their usual values, and which wishes exclude each other."""

from __future__ import annotations

import dataclasses
import math
import operator
from collections.abc import Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, Literal, TypeVar

from photoarc.errors import UsageError

_T = TypeVar("_T")
FORMATS = ("png", "jpeg", "webp")  # that every photograph can be written in

# Options that mean something for lossy photographs only, as the command line calls them.
LOSSY_ONLY = {
    "quality": "--quality",
    "strip_gps": "--strip",
    "min_gain_percent": "--min-gain",
    "recode": "--recode",
    "tuning": "--tune",
}

BY_CHOICE = "bit-exact by choice"  # the note on a file that nobody asked to code lossily
# By effort, of photographs tuned for the squared error: they take 8, 22 and 60 times as long as at effort 6, and the usual limit of time
# (workers.py) is twenty times what they take there.
SLOWNESS = {7: 2, 8: 5, 9: 12}

MODE: Literal["fast", "lzma", "lossless"] = "fast"
QUALITY: float = 75  # for photographs that one would print: 37.9 dB on the Kodak set (bench/results, photoarc-fast)
TUNE: Literal["ssim", "psnr"] = "ssim"
EFFORT = 5
# Efforts from which, for bit-exact coding, pictures are taken apart, JPEG files go through networks, and slow codecs are asked as well.
TAKES_APART, NETWORKS, THOROUGH = 3, 5, 7
# A second loss for less than this is not worth it. Of 37 JPEGs at quality 70 the payload was smaller than the bit-exact one for 28, by a
# tenth or more for 23: the rule keeps five files as they are and most of what lossy coding saves.
MIN_GAIN_PERCENT: float = 10
MOST_RECOVERY_PERCENT = 50


class Tuning(IntEnum):
    """What the quantisation steps of lossy photographs are made for: the smallest squared error, or eyes (and SSIM, which follows them)."""

    PSNR = 0
    SSIM = 1


TUNING = Tuning[TUNE.upper()]


class Mode(StrEnum):
    """How photographs are coded."""

    FAST = "fast"
    LZMA = "lzma"
    LOSSLESS = "lossless"


class Existing(StrEnum):
    """What `unpack` does about files that stand where members belong; what is a member already is left (photoarc.disk.standing)."""

    REFUSE = "refuse"
    SKIP = "skip"
    NEWER = "newer"
    OVERWRITE = "overwrite"


_DEFAULT_MODE = Mode(MODE)


@dataclass(frozen=True, slots=True)
class CodingOptions:
    """What the user asked for; quality runs from 0 to 100 (QUALITY says what the default gives).

    `strip_gps` concerns lossy photographs; a file that is kept bit-exact keeps everything. `min_gain_percent`: a file that was coded
    lossily before is coded so again only for a payload that is smaller by this than the bit-exact one.
    `recode`: HEIC, AVIF, JPEG XL and lossy WebP count as photographs, too. `effort` 0..9: see photoarc.codecs.bitexact and
    photoarc.codecs.photo.descent.
    """

    mode: Mode = _DEFAULT_MODE
    quality: float = QUALITY
    _: KW_ONLY
    strip_gps: bool = False
    min_gain_percent: float = MIN_GAIN_PERCENT
    recode: bool = False
    effort: int = EFFORT
    tuning: Tuning = TUNING

    def __post_init__(self) -> None:
        """Raises UsageError for what cannot be, and for wishes that exclude each other."""
        choice("mode", self.mode, tuple(Mode))
        choice("tuning", self.tuning, tuple(Tuning))
        object.__setattr__(self, "mode", Mode(self.mode))  # "lossless" means Mode.LOSSLESS, in comparisons too
        object.__setattr__(self, "tuning", Tuning(self.tuning))
        number("quality", self.quality, 0, 100)
        number("min_gain_percent", self.min_gain_percent, 0, 99)
        whole("effort", self.effort, 0, 9)
        if self.mode is Mode.LOSSLESS:
            usual = {field.name: field.default for field in dataclasses.fields(self)}
            keeps_every_bit({name: getattr(self, name) != usual[name] for name in LOSSY_ONLY})

    @classmethod
    def asked(cls, mode: Mode | str | None = None, *, tuning: Tuning | str | None = None, **given: Any) -> CodingOptions:
        """Options of which some were not asked for (None). It refuses a conflicting one even if it is the default.

        `tuning` may be its name, in small letters. Raises UsageError.
        """
        found = {name: value for name, value in ({"tuning": _tuning(tuning)} | given).items() if value is not None}
        if mode == Mode.LOSSLESS:
            keeps_every_bit({name: found.get(name, False) is not False for name in LOSSY_ONLY})
        return cls(_DEFAULT_MODE if mode is None else mode, **found)  # type: ignore[arg-type]  # see __post_init__

    @property
    def searches(self) -> bool:
        """Whether latents of photographs are searched (photoarc.codecs.photo.descent)."""
        return self.effort in SLOWNESS and self.mode is Mode.FAST

    @property
    def slowness(self) -> int:
        """How many times as much time as usual to allow for a file."""
        return SLOWNESS[self.effort] if self.searches else 1


@dataclass(frozen=True, slots=True)
class UnpackOptions:
    """What the user asked for; `only` are globs (photoarc.jobs.selection), `as_format` is "png", "jpeg", "webp" or None.

    `workers` None means every usable core, 0 this process. `ignore_case`: upper and lower case of `only` are the same.
    `force` is another word for Existing.OVERWRITE. `memory_bytes` is for all processes together, None the usual share
    (photoarc.jobs.machine).
    """

    only: Sequence[str] = ()
    as_format: str | None = None
    workers: int | None = None
    force: bool = False
    ignore_case: bool = False
    _: KW_ONLY
    memory_bytes: int | None = None
    existing: Existing = Existing.REFUSE

    def __post_init__(self) -> None:
        """Raises UsageError."""
        choice("existing", self.existing, tuple(Existing))
        if self.force and self.existing not in (Existing.REFUSE, Existing.OVERWRITE):
            raise UsageError(f"force and existing {self.existing} exclude each other; choose one")
        object.__setattr__(self, "existing", Existing.OVERWRITE if self.force else Existing(self.existing))
        object.__setattr__(self, "only", several("only", self.only))
        choice("as_format", self.as_format, (None, *FORMATS))
        jobs(self.workers)


@dataclass(frozen=True, slots=True)
class PackOptions:
    """What the user asked for; `excludes` are gitignore lines, `workers` None means every usable core, 0 this process.

    `memory_bytes` is for all processes together, None the usual share (photoarc.jobs.machine). `recovery_percent` of the archive may be
    lost in one place, wherever, and come back by its recovery data; 0: it has none.
    """

    coding: CodingOptions = field(default_factory=CodingOptions)
    workers: int | None = None
    excludes: Sequence[str] = ()
    force: bool = False
    memory_bytes: int | None = None
    recovery_percent: float = 0

    def __post_init__(self) -> None:
        """Raises UsageError."""
        jobs(self.workers)
        number("recovery", self.recovery_percent, 0, MOST_RECOVERY_PERCENT)
        object.__setattr__(self, "excludes", several("excludes", self.excludes))


def _tuning(asked: Tuning | str | None) -> Tuning | None:
    if not isinstance(asked, str):
        return asked
    choice("tuning", asked, tuple(tuning.name.lower() for tuning in Tuning))
    return Tuning[asked.upper()]


def number(name: str, value: object, least: float, most: float) -> None:
    """Raises UsageError for anything but a number in a range: text, NaN, infinity."""
    try:
        given = math.nan if isinstance(value, str | bytes | bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        given = math.nan
    if not least <= given <= most:
        raise UsageError(f"{name} {value}: is not a number from {least:g} to {most:g}")


def whole(name: str, value: object, least: int, most: int | None = None) -> None:
    """Raises UsageError for anything but an integer in a range."""
    try:
        given = least - 1 if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        given = least - 1
    if given < least or (most is not None and given > most):
        where = f"of {least} or more" if most is None else f"from {least} to {most}"
        raise UsageError(f"{name} {value}: is not a whole number {where}")


def jobs(value: object) -> None:
    """Raises UsageError for anything but a number of worker processes, 0 (none) or None (one for each core)."""
    if value is not None:
        whole("jobs", value, 0)


def choice(name: str, value: object, choices: Collection[object]) -> None:
    """Raises UsageError for anything that cannot be chosen."""
    if value not in choices:
        raise UsageError(f"{name} {value}: unknown; choose {', '.join(str(each) for each in choices if each is not None)}")


def several(name: str, value: Sequence[_T]) -> tuple[_T, ...]:
    """The same, unless it is one pattern where a sequence is asked for: its letters would be taken for patterns. Raises UsageError."""
    if isinstance(value, str | bytes):
        raise UsageError(f"{name} {value!r}: is one pattern where several are expected; write [{value!r}]")
    return tuple(value)


def existing(*, skip: bool, newer: bool, overwrite: bool) -> Existing:
    """The one that was asked for. Raises UsageError for several."""
    asked = {"--skip-existing": skip, "--newer": newer, "--overwrite": overwrite}
    if len(given := [name for name, wanted in asked.items() if wanted]) > 1:
        raise UsageError(f"{' and '.join(given)} exclude each other; choose one")
    return Existing.SKIP if skip else Existing.NEWER if newer else Existing.OVERWRITE if overwrite else Existing.REFUSE


def deletion(mode: Mode | str, *, wanted: bool, lossy_too: bool, unasked: bool, dry_run: bool) -> None:
    """Raises UsageError for wishes about deleting what was packed that exclude each other, or mean nothing."""
    if (lossy_too or unasked) and not wanted:
        raise UsageError("--yes and --delete-lossy say how to delete; they mean nothing without --delete-after-verify")
    if wanted and dry_run:
        raise UsageError("--dry-run writes nothing, so there is nothing to verify; leave out --delete-after-verify")
    if lossy_too and mode == Mode.LOSSLESS:
        raise UsageError("--delete-lossy is about lossy photographs, and --mode lossless has none; choose one")


def keeps_every_bit(asked: Mapping[str, bool]) -> None:
    """Raises UsageError if anything was asked for that a lossless archive ignores; `asked` is by names of fields."""
    if wrong := [LOSSY_ONLY[name] for name, given in asked.items() if given]:
        verb = "is" if len(wrong) == 1 else "are"
        raise UsageError(f"{' and '.join(wrong)} {verb} about lossy photographs, and --mode lossless keeps every bit of them; choose one")
