"""A run on the workers of MPI, started as `docs/tutorials/cluster.md` says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mpi4py", reason="no mpi4py")

BESIDE_PYTHON = Path(sys.executable).parent
MPIEXEC = shutil.which("mpiexec", path=f"{BESIDE_PYTHON}{os.pathsep}{os.environ.get('PATH', '')}")


@pytest.mark.skipif(MPIEXEC is None, reason="no mpiexec")
def test_a_run_on_the_workers_of_mpi_ends_as_it_does_alone():
    assert MPIEXEC is not None
    script = Path(__file__).with_name("mpi_script.py")
    command = [MPIEXEC, "-n", "3", sys.executable, "-m", "mpi4py.futures", str(script)]
    allowed = {  # Open MPI: a container's root, and fewer processors than processes
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    }
    done = subprocess.run(
        command, env={**os.environ, **allowed}, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "alike True, workers 2, apart True"
