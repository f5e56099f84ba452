"""Who may import whom (docs/design.md): downward only, and heavy packages in one place each."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from containers import sample, write

import photoarc

PACKAGE = Path(photoarc.__file__).parent

# Each layer imports itself and what is below. A new module is added here by hand.
LAYERS = [
    {"__main__"},
    {"cli", "console", "arguments"},
    {
        "pack",
        "coding",
        "comparing",
        "summary",
        "unpack",
        "unpacked",
        "duplicates",
        "verify",
        "deletion",
        "expectation",
        "rehearsal",
        "report",
        "inspection",
        "progress",
        "bar",
        "selection",
        "patterns",
        "sources",
        "large",
        "room",
        "serving",
        "workers",
        "folderbench",
    },
    {"archive", "writer"},
    {"groups"},
    {"pipeline"},
    {"bitexact", "costs"},
    {"codecs"},
    {"models"},
    {"entropy"},
    {"pictures"},
    {
        *("container", "likeness", "salvage", "strata", "traces", "partial"),
        *("scan", "extract", "attributes", "targets", "folders", "replacing", "taken"),
    },
    {"frames"},
    {"defaults"},
    {"records", "tuning"},
    {"names", "origin", "partway", "spawning", "wishes", "machine"},
    {"foreign", "refusals", "brackets"},
    {"errors", "safe_path"},
]
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}

ONLY_IN = {
    "torch": set[str](),
    "onnx": set[str](),
    "onnxruntime": {"models/runtime.py"},
    "PIL": {"pictures/image.py", "pictures/pillow.py", "pictures/writers.py"},
    "pillow_heif": {"pictures/image.py", "pictures/pillow.py"},
    "struct": {"records.py", "frames.py", "codecs/*"},
    "training": set[str](),
    "bench": set[str](),
    "tests": set[str](),
}
NO_NUMPY = {
    "brackets.py",
    "safe_path.py",
    "spawning.py",
    "wishes.py",
    "defaults.py",
    "targets.py",
    "tuning.py",
    "errors.py",
    "names.py",
    "records.py",
    "frames.py",
    "container.py",
    "salvage.py",
    "strata.py",
    "traces.py",
    "foreign.py",
    "partial.py",
    "replacing.py",
    "folders.py",
    "taken.py",
    "archive.py",
    "writer.py",
    "scan.py",
    "extract.py",
    "origin.py",
    "attributes.py",
    "costs.py",
    "machine.py",
    "room.py",
    "pictures/size.py",
}

FILES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))


def imported(file: str) -> Iterator[str]:
    """Dotted names that a file imports, wherever it does; imports for type checkers do not count."""
    todo: list[ast.AST] = [ast.parse((PACKAGE / file).read_text())]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            todo += node.orelse
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        else:
            todo += ast.iter_child_nodes(node)


def room(file: str) -> str:
    return file.removesuffix(".py").split("/")[0]


def test_every_module_has_a_layer() -> None:
    assert {room(file) for file in FILES} - {"__init__"} <= set(RANK)


@pytest.mark.parametrize("file", [file for file in FILES if file != "__init__.py"])
def test_imports_go_down(file: str) -> None:
    for name in imported(file):
        parts = name.split(".")
        if parts[0] == "photoarc" and len(parts) > 1 and parts[1] in RANK:
            assert RANK[parts[1]] >= RANK[room(file)], f"{file} imports {name}, which is above it"


@pytest.mark.parametrize("package", ONLY_IN)
def test_heavy_packages_have_one_place(package: str) -> None:
    for file in FILES:
        allowed = file in ONLY_IN[package] or f"{room(file)}/*" in ONLY_IN[package]
        assert allowed or not any(name.split(".")[0] == package for name in imported(file)), f"{file} imports {package}"


def test_the_container_does_without_numpy() -> None:
    for file in NO_NUMPY:
        assert not any(name.split(".")[0] == "numpy" for name in imported(file)), file


def test_public_surface() -> None:
    assert sorted(photoarc.__all__) == sorted(set(photoarc.__all__))
    for name in photoarc.__all__:
        assert getattr(photoarc, name)
    errors = {
        name for name, value in vars(photoarc.errors).items() if isinstance(value, type) and issubclass(value, photoarc.PhotoarcError)
    }
    assert errors - set(photoarc.__all__) == {"PayloadError", "GivenUp", "TooFar"}  # between codecs and pipeline only


def test_the_version_is_that_of_the_package() -> None:
    project = PACKAGE.parent / "pyproject.toml"
    if project.exists():
        assert tomllib.loads(project.read_text())["project"]["version"] == photoarc.__version__


LIST = """
import sys, photoarc
with photoarc.open(sys.argv[1]) as archive:
    print(*archive.names())
    for member in archive:
        archive.test(member)
heavy = {"numpy", "onnxruntime", "PIL", "pathspec", "rich", "typer", "multiprocessing"}
print(*sorted({name.split(".")[0] for name in sys.modules} & heavy))
"""


def test_listing_and_testing_stored_members_loads_nothing_heavy(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pha", sample())
    done = subprocess.run([sys.executable, "-c", LIST, path], capture_output=True, text=True, check=True)
    names, loaded = done.stdout.splitlines()
    assert names.startswith("in in/0.bin")
    assert loaded == ""


LIST_COMMAND = """
import sys
from photoarc.__main__ import main
try:
    main()
finally:
    print({"numpy", "onnxruntime", "PIL", "rich"} & set(sys.modules))
"""


def test_listing_on_the_command_line_loads_nothing_heavy(tmp_path: Path) -> None:
    path = write(tmp_path / "a.pha", sample())
    done = subprocess.run([sys.executable, "-c", LIST_COMMAND, "list", str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
