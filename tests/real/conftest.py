"""What the tests with a real vLLM share."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny random model, ready to be served."""
    folder = tmp_path_factory.mktemp("model") / "tiny"
    maker = Path(__file__).with_name("make_model.py")
    subprocess.run([sys.executable, str(maker), str(folder)], check=True, capture_output=True)
    return folder
