"""The house (docs/design.md): who may import whom, which packages have heavy things, what each room may do."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from containers import sample, write

import photoarc
from photoarc import codecs
from photoarc.pictures import kinds

PACKAGE = Path(photoarc.__file__).parent
DESIGN = PACKAGE.parent / "docs" / "design.md"

# Each room imports itself and what stands behind it. A new one is added here by hand.
ROOMS = (
    *("__main__", "cli", "folderbench", "jobs", "archive", "pipeline", "codecs", "container", "disk", "pictures", "models", "entropy"),
    *("progress", "member", "names", "options", "units", "errors"),
)
RANK = {name: rank for rank, name in enumerate(ROOMS)}
MOST_FILES, MOST_FOLDERS, MOST_LINES = 10, 9, 350
MOST_LINES_OF_A_FUNCTION, MOST_FIELDS = 60, 6  # without its signature: a command's is its options; fields that may be filled by position

# Packages, and where they may be imported.
ONLY_IN = {
    "torch": set[str](),
    "onnx": set[str](),
    "onnxruntime": {"models/runtime.py"},
    "PIL": {"pictures/image.py", "pictures/pillow.py", "pictures/writers.py", "pictures/jpeg/pixels.py"},
    "constriction": {"entropy/stack.py"},
    "imagecodecs": {"pictures/libjxl.py"},
    "pyjpegxl": {"pictures/libjxl.py", "pictures/jpeg/pixels.py"},
    "pillow_heif": {"pictures/image.py", "pictures/pillow.py"},
    "struct": {"container/*", "codecs/*"},
    "multiprocessing": {"jobs/*"},
    "subprocess": {"jobs/*", "folderbench/*"},
    "rich": {"cli/*"},
    "typer": {"cli/*"},
    "training": set[str](),
    "bench": set[str](),
    "tests": set[str](),
}
# Calls that change what is on the disk, and who may make them: disk/ below a destination, the file of an archive, the deletion that was
# asked for.
CHANGING = {"mkdir", "makedirs", "symlink", "link", "rename", "replace", "unlink", "remove", "rmdir", "ftruncate", "chmod", "utime"}
CHANGE_FROM = ("disk/", "container/partial_file.py", "container/appended_file.py", "jobs/deletion.py")
# What `list` loads, which has to start fast.
NO_NUMPY = (
    *("archive.py", "member.py", "names.py", "errors.py", "options.py", "progress.py", "units.py"),
    *("container/", "disk/", "codecs/costs.py", "codecs/__init__.py", "pictures/size.py", "pictures/kinds.py"),
    *("jobs/machine.py", "jobs/overview.py", "jobs/room.py", "jobs/safe_path.py", "jobs/selection.py", "jobs/spawning.py"),
)
WITH_NUMPY = tuple(f"container/{name}.py" for name in ("likeness", "recovery", "reed_solomon", "repairing"))  # imported where needed

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


def test_the_house_has_few_doors() -> None:
    inside = [path for path in PACKAGE.iterdir() if path.name not in {"__pycache__", "models_onnx", "py.typed"}]
    assert sum(path.is_file() for path in inside) <= MOST_FILES
    assert sum(path.is_dir() for path in inside) <= MOST_FOLDERS
    assert {room(file) for file in FILES} - {"__init__"} == set(RANK)


@pytest.mark.parametrize("file", [file for file in FILES if file != "__init__.py"])
def test_imports_go_down(file: str) -> None:
    for name in imported(file):
        parts = name.split(".")
        if parts[0] == "photoarc" and len(parts) > 1 and parts[1] in RANK:
            assert RANK[parts[1]] >= RANK[room(file)], f"{file} imports {name}, which is above it"


@pytest.mark.parametrize("file", FILES)
def test_files_are_small(file: str) -> None:
    assert len((PACKAGE / file).read_text().splitlines()) <= MOST_LINES


@pytest.mark.parametrize("file", FILES)
def test_functions_are_small(file: str) -> None:
    for node in ast.walk(ast.parse((PACKAGE / file).read_text())):
        if isinstance(node, ast.FunctionDef):
            lines = (node.end_lineno or 0) - node.body[0].lineno + 1
            assert lines <= MOST_LINES_OF_A_FUNCTION, f"{file}: {node.name} has {lines} lines"


@pytest.mark.parametrize("file", FILES)
def test_large_records_are_filled_by_name(file: str) -> None:
    for node in ast.walk(ast.parse((PACKAGE / file).read_text())):
        if isinstance(node, ast.ClassDef) and any(ast.unparse(each).startswith("dataclass") for each in node.decorator_list):
            if any("kw_only=True" in ast.unparse(each) for each in node.decorator_list):
                continue
            fields = [ast.unparse(each.annotation) for each in node.body if isinstance(each, ast.AnnAssign)]
            by_position = fields.index("KW_ONLY") if "KW_ONLY" in fields else len(fields)
            assert by_position <= MOST_FIELDS, f"{file}: {node.name} has {by_position} fields that may be filled by position"


def test_the_formatter_has_the_last_word() -> None:
    assert [file for file in FILES if "# fmt: " in (PACKAGE / file).read_text()] == []


@pytest.mark.parametrize("package", ONLY_IN)
def test_heavy_packages_have_one_place(package: str) -> None:
    for file in FILES:
        allowed = file in ONLY_IN[package] or f"{room(file)}/*" in ONLY_IN[package]
        assert allowed or not any(name.split(".")[0] == package for name in imported(file)), f"{file} imports {package}"


def test_what_list_loads_does_without_numpy() -> None:
    for file in FILES:
        if file.startswith(NO_NUMPY) and file not in WITH_NUMPY:
            assert not any(name.split(".")[0] == "numpy" for name in imported(file)), file


def calls(file: str) -> Iterator[ast.Call]:
    yield from (node for node in ast.walk(ast.parse((PACKAGE / file).read_text())) if isinstance(node, ast.Call))


def test_only_the_command_line_prints() -> None:
    for file in FILES:
        printing = any(isinstance(call.func, ast.Name) and call.func.id == "print" for call in calls(file))
        assert not printing or room(file) == "cli", file


def test_only_the_disk_is_changed_by_the_disk() -> None:
    for file in FILES:
        for call in calls(file):
            named = call.func
            of_os = isinstance(named, ast.Attribute) and isinstance(named.value, ast.Name) and named.value.id == "os"
            if of_os and named.attr in CHANGING:
                assert file.startswith(CHANGE_FROM), f"{file} calls os.{named.attr}"


def test_every_package_is_one_sentence_and_the_map_says_it() -> None:
    if not DESIGN.exists():
        pytest.skip("no docs beside the package")
    said = dict(re.findall(r"^\| `([a-z_/]+)/` \| (.+) \|$", DESIGN.read_text(), re.MULTILINE))
    packages = {file.removesuffix("/__init__.py"): file for file in FILES if file.endswith("/__init__.py")}
    assert said.keys() == packages.keys()
    for name, file in packages.items():
        docstring = ast.get_docstring(ast.parse((PACKAGE / file).read_text())) or ""
        assert docstring.split("\n\n")[0].replace("\n", " ") == said[name], name


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


TESTS = PACKAGE.parent / "tests"


@pytest.mark.skipif(not TESTS.is_dir(), reason="an installed package has no tests beside it")
def test_tests_lie_in_rooms_of_their_own() -> None:
    assert not [path.name for path in TESTS.glob("*.py")]
    for file in TESTS.rglob("*.py"):
        assert not re.search(r"^sys\.path.*__file__", file.read_text(), re.MULTILINE), (
            f"{file}: pyproject.toml says where tests import from"
        )


# First bytes of pictures, and who may spell them: the place that tells kinds apart, and parsers of the format.
STARTS = {
    *(kinds.JPEG_SOI, kinds.JPEG_START, kinds.PNG_SIGNATURE, *kinds.TIFF_STARTS, kinds.BMP_START, *kinds.PNM_STARTS),
    *(kinds.JXL_CODESTREAM, kinds.JXL_CONTAINER, kinds.RIFF_START, kinds.WEBP_FORM, b"GIF8", b"ftyp"),
}
SPELLED_IN = {"pictures/kinds.py", "pictures/heif.py", "pictures/jxl.py"}


@pytest.mark.parametrize("file", [file for file in FILES if file not in SPELLED_IN])
def test_one_place_asks_what_a_file_is(file: str) -> None:
    spelled = {node.value for node in ast.walk(ast.parse((PACKAGE / file).read_text())) if isinstance(node, ast.Constant)}
    assert not {value for value in spelled if isinstance(value, bytes)} & STARTS


@pytest.mark.parametrize("codec_id", [number for number, entry in codecs.CODECS.items() if not entry.lossy], ids=codecs.codec_name)
def test_bit_exact_codecs_have_one_shape(codec_id: int) -> None:
    codec = codecs.get(codec_id)
    assert [*inspect.signature(codec.decode).parameters] == ["payload", "size_bytes", "as_format"]
    if codec_id not in (codecs.SOLID, codecs.BLOCKS):  # which several files share, or which are filled piece by piece
        assert [*inspect.signature(codecs.get_exact(codec_id).encode).parameters] == ["data", "effort"]
