"""The public workflow runs what `.ci/run` runs, on every Python that the package names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).parent.parent
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"

pytestmark = pytest.mark.skipif(not WORKFLOW.exists(), reason="a source distribution has no workflow")


def jobs() -> dict:
    return yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]


def test_its_commands_are_those_of_the_local_script():
    commands = {step["run"] for job in jobs().values() for step in job["steps"] if "run" in step}
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert {line for line in commands if line.startswith("make")} == set(re.findall(r"^make .*$", script, re.MULTILINE))


def test_every_python_of_the_package_is_tested():
    named = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', (ROOT / "pyproject.toml").read_text("utf-8"))
    assert jobs()["tests"]["strategy"]["matrix"]["python"] == named


def test_its_targets_exist():
    known = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    asked = {
        target
        for job in jobs().values()
        for step in job["steps"]
        for target in step.get("run", "").split()[1:]
        if step.get("run", "").startswith("make")
    }
    assert asked <= set(known)
    assert asked


def test_it_may_only_read():
    assert yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["permissions"] == {"contents": "read"}
