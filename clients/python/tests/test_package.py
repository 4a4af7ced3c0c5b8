"""The package as its users get it: installed into a fresh environment, its README and its example."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import CLIENT, Broker


def output(broker: Broker, python: str, *arguments: str) -> list[str]:
    """The lines that a program prints, which finds the broker as any user's does."""
    environment = {**os.environ, "JOBBROKER_SOCKET": broker.socket_path}
    return subprocess.run(
        [python, *arguments], env=environment, stdout=subprocess.PIPE, text=True, timeout=120, check=True
    ).stdout.splitlines()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python in whose environment there is nothing but this package."""
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=300)
    python = str(folder / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(CLIENT)]
    subprocess.run(pip, check=True, timeout=300)
    return python


def quick_start() -> str:
    found = re.search(r"```python\n(.*?)```", (CLIENT / "README.md").read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def test_the_installed_package_runs_the_quick_start_and_has_types(
    broker: Broker, installed: str, tmp_path: Path
) -> None:
    program = tmp_path / "quick_start.py"
    program.write_text(quick_start())
    assert output(broker, installed, str(program)) == ["complete {'minutes': 3.0}"]
    where = output(broker, installed, "-c", "import jobbroker; print(jobbroker.__file__)")[0]
    assert Path(where).is_relative_to(Path(installed).parents[1])
    assert (Path(where).parent / "py.typed").exists()


def test_the_example_does_what_it_says(broker: Broker) -> None:
    assert output(broker, sys.executable, str(CLIENT / "examples" / "transcode.py")) == [
        "transcode: complete {'file': 'talk.opus'}",
        "transcode: failed notes.txt is no sound file",
        "transcode: cancelled",
        "checksum: complete {'sum': 124999750000}",
    ]
