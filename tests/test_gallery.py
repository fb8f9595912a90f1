"""The gallery shows what its script makes, and the script works."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture
def gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, with so few queries that it takes seconds, writing elsewhere."""
    spec = importlib.util.spec_from_file_location("gallery", DOCS / "gallery.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "gallery", module)  # dataclasses look their module up
    spec.loader.exec_module(module)
    small = {"IMAGES": tmp_path, "BUDGET": 3, "FACTORS": (1.0, 2.0), "SEEDS": range(2), "TUNING_SEEDS": range(1)}
    for name, value in small.items():
        monkeypatch.setattr(module, name, value)
    return module


def test_the_script_writes_every_picture_of_the_page(gallery, tmp_path):
    gallery.main()
    page = (DOCS / "gallery.md").read_text(encoding="utf-8")
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == sorted(f"gallery_{name}.png" for name in gallery.DRAWINGS)
    assert all(f"](images/{name})" in page for name in written)
    assert all((DOCS / "images" / name).stat().st_size < 150_000 for name in written)


def test_the_tuning_takes_the_better_of_two_steps(gallery):
    """On half of x^2 in one dimension, 1 - lr is left of x after each step: 0.8 of it after 0.2, 0.5 after 0.5."""
    task = gallery.Task(lambda x: float(x @ x) / 2, gallery.np.ones(1), lr=0.2, radius=0.1, num_queries=8)
    assert task.losses("SPSA", 0.5, seed=0) == pytest.approx([0.5 * 0.25**k for k in range(5)])
    assert task.best_step("SPSA") == pytest.approx(0.4)
