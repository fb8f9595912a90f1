"""Settings shared by every test."""

from __future__ import annotations

import os

import torch
from hypothesis import settings

# The tensors of tests are small, and threads inside one operation only wait for each other.
torch.set_num_threads(1)

# Torch may take seconds on its first call, so no example has a deadline; in CI the examples never change.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")
