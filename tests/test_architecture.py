"""Imports point one way, and importing costs no more than it must."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "zoopt_mo"
APPLICATION = ROOT / "examples" / "privacy_mllm"

# A room may import its own layer and every layer above it in this list, never one below.
LAYERS = (
    ("_checks", "directions", "sampling", "parameters", "gains"),
    ("estimators", "scalarizers", "pareto"),
    ("evaluation", "ledger", "budget"),
    ("objectives",),
    ("backward", "calibration", "recommended", "checkpoint"),
    ("minimize", "problems"),
    ("front", "search"),
    ("plotting",),
    ("__init__",),
    ("console",),
)
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
STRANGERS = {("estimators", "scalarizers"), ("scalarizers", "estimators")}
OUTSIDE = {"benchmarks", "examples", "privacy_mllm", "tests"}


def read_package(folder: Path) -> dict[str, str]:
    """The source of every module below ``folder`` by dotted name; a package's own file is ``.__init__``."""
    return {
        ".".join(path.relative_to(folder.parent).with_suffix("").parts): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*.py"))
    }


def imported_modules(name: str, source: str) -> Iterator[str]:
    """The dotted names that module ``name`` imports anywhere in its source, relative ones made absolute."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = name.split(".")[: -node.level] if node.level else []
            base = ".".join([*package, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def top(name: str) -> str:
    """``zoopt_mo`` for ``zoopt_mo.estimators``."""
    return name.partition(".")[0]


def room_of(name: str) -> str:
    """``estimators`` for ``zoopt_mo.estimators._spsa``; ``__init__`` for what the package itself offers."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in LEVEL else "__init__"


def complaint(importer: str, imported: str) -> str | None:
    """What is wrong with this one import, or None."""
    if top(imported) in OUTSIDE:
        return f"{importer} imports {imported}, which is outside the library"
    if top(imported) != "zoopt_mo":
        return None
    here, there = room_of(importer), room_of(imported)
    if (here, there) in STRANGERS:
        return f"{importer} imports {imported}: {here} and {there} must not know each other"
    if LEVEL[there] > LEVEL[here]:
        return f"{importer} imports {imported}: {here} lies below {there}"
    return None


def violations(sources: Mapping[str, str]) -> list[str]:
    """Every rule broken by the modules in ``sources`` (dotted name -> source), as sentences."""
    homeless = [f"{name} has no place in LAYERS" for name in sources if name.split(".")[1] not in LEVEL]
    imports = ((name, target) for name, source in sources.items() for target in imported_modules(name, source))
    found = (complaint(importer, imported) for importer, imported in imports)
    return homeless + [sentence for sentence in found if sentence]


def import_graph(sources: Mapping[str, str]) -> dict[str, set[str]]:
    """Module -> the modules of its package that it imports, without the ``__init__`` files."""
    modules = {name for name in sources if not name.endswith(".__init__")}
    return {
        name: {
            module
            for target in imported_modules(name, sources[name])
            for module in (target, target.rpartition(".")[0])
            if module in modules - {name}
        }
        for name in modules
    }


def loaded_after(statement: str) -> set[str]:
    """The top-level packages in ``sys.modules`` after ``statement`` ran in a fresh interpreter."""
    paths = [str(ROOT), str(APPLICATION.parent)]
    code = f"import sys; sys.path[:0] = {paths}; {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {top(name) for name in done.stdout.split()}


def test_imports_in_the_library_point_one_way() -> None:
    assert violations(read_package(LIBRARY)) == []


@pytest.mark.parametrize("folder", [LIBRARY, APPLICATION], ids=lambda folder: folder.name)
def test_no_module_imports_itself_by_a_detour(folder: Path) -> None:
    sources = read_package(folder)
    assert len(sources) > 1
    try:
        TopologicalSorter(import_graph(sources)).prepare()
    except CycleError as error:
        pytest.fail(f"import cycle: {' -> '.join(error.args[1])}")


def test_the_application_uses_only_public_names_of_the_library() -> None:
    private = [
        f"{name} imports {target}"
        for name, source in read_package(APPLICATION).items()
        for target in imported_modules(name, source)
        if top(target) == "zoopt_mo" and any(part.startswith("_") for part in target.split("."))
    ]
    assert private == []


@pytest.mark.parametrize(
    ("module", "source", "words"),
    [
        ("zoopt_mo.gains", "from zoopt_mo.estimators import SPSA", "gains lies below estimators"),
        ("zoopt_mo.gains", "from zoopt_mo import SPSA", "gains lies below __init__"),
        ("zoopt_mo.gains", "import zoopt_mo.backward", "gains lies below backward"),
        ("zoopt_mo.objectives", "def f():\n    from . import minimize", "objectives lies below minimize"),
        ("zoopt_mo.estimators._spsa", "from ..scalarizers import WeightedSum", "must not know each other"),
        ("zoopt_mo.scalarizers._sum", "from zoopt_mo.estimators import SPSA", "must not know each other"),
        ("zoopt_mo.backward", "import privacy_mllm.losses", "outside the library"),
        ("zoopt_mo.backward", "from examples.privacy_mllm import losses", "outside the library"),
        ("zoopt_mo.attic", "", "no place in LAYERS"),
    ],
)
def test_a_planted_import_is_caught(module: str, source: str, words: str) -> None:
    (sentence,) = violations({module: source})
    assert words in sentence


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("zoopt_mo.gains", "import torch\nfrom ._checks import check_positive"),
        ("zoopt_mo.estimators._spsa", "from zoopt_mo.directions import Direction\nfrom . import _base"),
        ("zoopt_mo.estimators.__init__", "from ._spsa import SPSA\nfrom .._checks import check_shape"),
        ("zoopt_mo.backward", "from zoopt_mo.objectives import BlackBox"),
        ("zoopt_mo.__init__", "from .minimize import minimize\nfrom .estimators import SPSA"),
    ],
)
def test_an_allowed_import_passes(module: str, source: str) -> None:
    assert violations({module: source}) == []


def test_a_planted_cycle_is_caught() -> None:
    sources = {
        "zoopt_mo.gains": "from .directions import signs",
        "zoopt_mo.directions": "from . import gains",
    }
    with pytest.raises(CycleError, match="cycle"):
        TopologicalSorter(import_graph(sources)).prepare()


def test_importing_the_library_loads_torch_and_numpy_and_nothing_heavier() -> None:
    loaded = loaded_after("import zoopt_mo")
    assert {"torch", "numpy"} <= loaded
    assert loaded & {"scipy", "cma", "gymnasium", "matplotlib", "moocore", "PIL", "rich", "safetensors"} == set()


def test_importing_the_application_loads_no_extra_that_only_some_users_need() -> None:
    modules = [name.removesuffix(".__init__") for name in read_package(APPLICATION)]
    assert "privacy_mllm.losses" in modules
    loaded = loaded_after(f"import {', '.join(name for name in modules if not name.endswith('.__main__'))}")
    assert loaded & {"av", "openai", "transformers", "accelerate"} == set()


def test_the_command_line_answers_help_without_loading_torch() -> None:
    assert "torch" not in loaded_after("import privacy_mllm.cli")
