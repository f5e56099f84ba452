"""quickstart.py: finds folders from where it is called, checks before it does anything, deletes and replaces nothing."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

import photoarc

FILE = Path(photoarc.__file__).parent.parent / "quickstart.py"
pytestmark = pytest.mark.skipif(not FILE.exists(), reason="not in a checkout")
Commands = list[tuple[object, ...]]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[ModuleType, Commands]:
    """The script in a checkout of its own, called from another folder; what it would run is only noted."""
    spec = importlib.util.spec_from_file_location("quickstart", FILE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    commands: Commands = []
    for folder in ("checkout", "elsewhere/holiday"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setattr(module, "HERE", tmp_path / "checkout")
    monkeypatch.setattr(module, "install", lambda extra: commands.append(("install", extra)))
    monkeypatch.setattr(module, "run", lambda *command: commands.append(command))
    return module, commands


def call(monkeypatch: pytest.MonkeyPatch, module: ModuleType, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["quickstart.py", *arguments])
    module.main()


def test_a_relative_folder_is_that_of_the_caller(
    started: tuple[ModuleType, Commands], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    module, commands = started
    call(monkeypatch, module, "holiday")
    out = tmp_path / "checkout/out/holiday"
    assert commands[1][3:] == ("pack", tmp_path / "elsewhere/holiday", out / "holiday.pha")
    assert commands[2][3:] == ("unpack", out / "holiday.pha", out / "unpacked")


def test_a_folder_that_is_missing_is_told_before_anything_is_done(
    started: tuple[ModuleType, Commands], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    module, commands = started
    (tmp_path / "elsewhere/file").touch()
    for wrong in ("no such", "file"):
        with pytest.raises(SystemExit, match=f"{wrong}: there is no such folder; name a folder of photographs"):
            call(monkeypatch, module, wrong)
    assert not commands
    assert not (tmp_path / "checkout/out").exists()


@pytest.mark.parametrize("arguments", [["holiday"], []])
def test_nothing_that_is_there_is_deleted_or_replaced(
    started: tuple[ModuleType, Commands], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str]
) -> None:
    module, commands = started
    name = arguments[0] if arguments else "pictures"
    out = tmp_path / "checkout/out"
    for mine in (name, f"{name}-unpacked", f"{name}-2"):
        (out / mine).mkdir(parents=True)
        (out / mine / "only copy.jpg").write_text(mine)
    (out / f"{name}.pha").write_text("an archive")
    before = {path: path.read_text() for path in out.rglob("*") if path.is_file()}
    call(monkeypatch, module, *arguments)
    call(monkeypatch, module, *arguments)
    assert {path: path.read_text() for path in out.rglob("*") if path.is_file()} == before
    assert {str(command[-1]) for command in commands if "unpack" in command} == {
        str(out / f"{name}-{number}" / "unpacked") for number in (3, 4)
    }
    assert not any("--force" in command or "-f" in command for command in commands)
