"""The examples as a newcomer runs them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(*arguments: str, cwd: Path) -> str:
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=cwd, timeout=300).stdout


def test_the_quickstart_lands_near_the_fair_point_of_the_front(tmp_path: Path) -> None:
    said = run(str(EXAMPLES / "quickstart.py"), cwd=tmp_path)
    found = re.search(r"losses found +([\d.]+) ([\d.]+)", said)
    assert found is not None
    assert [float(loss) for loss in found.groups()] == pytest.approx([0.25, 0.25], abs=0.05)
    assert "queries paid       2001" in said


def test_the_digits_example_counts_its_queries_and_draws_eight_digits(tmp_path: Path) -> None:
    said = run(str(EXAMPLES / "digits_forest.py"), "--steps", "300", "--picture", "eight.png", cwd=tmp_path)
    assert "queries paid: 600" in said
    forest, network = (re.search(rf"{name} +([\d.]+) % +([\d.]+) %", said) for name in ("digit", "odd/even"))
    assert forest is not None
    assert network is not None
    assert float(forest[1]) > 95
    assert float(forest[2]) > 50
    assert float(network[2]) < float(network[1]) - 5
    assert (tmp_path / "eight.png").stat().st_size > 3000


def test_the_readme_quickstart_runs_as_it_stands() -> None:
    readme = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
    code = re.search(r"## Quickstart\n\n```python\n(.*?)```", readme, re.DOTALL)
    assert code is not None
    said = run("-c", code[1], cwd=EXAMPLES.parent)
    losses, counts = (re.findall(r"[\d.]+", line) for line in said.splitlines())
    assert [float(loss) for loss in losses] == pytest.approx([0.25, 0.25], abs=0.05)
    assert counts == ["2001", "1001"]
