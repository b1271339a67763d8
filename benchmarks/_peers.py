"""The environments of the libraries that Shortlist is measured against: `.peers/`, made from `peers.txt`, and more.

They cannot stand beside Shortlist (RecTools needs NumPy 1), nor all of them beside each other (RecTools brings a fork
of implicit under the same name). So each group has its own pins, `peers-NAME.txt` for the environment `.peers-NAME/`,
and whoever asks a library runs a script in that Python and reads the JSON that it prints. `python benchmarks/_peers.py`
makes `.peers`, which the tests ask, where it is missing or was made from other pins; a benchmark makes the others when
it comes to them.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

BENCHMARKS = Path(__file__).parent


def make(peers: str = "peers") -> Path:
    """The Python of the environment `.{peers}`, which is made unless it stands there made from these very pins."""
    pins, folder = BENCHMARKS / f"{peers}.txt", BENCHMARKS.parent / f".{peers}"
    # A copy of the pins, put there when all of them are installed.
    made_from, python = folder / pins.name, folder / "bin/python"
    if made_from.exists() and made_from.read_bytes() == pins.read_bytes():
        return python
    print(f"the libraries of {pins.name} are installed in {folder.name}", file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", str(pins)]
    if subprocess.run(pip, check=False).returncode:
        shutil.rmtree(folder)
        sys.exit(f"the libraries of {pins.name} cannot all be installed for this Python: see above")
    shutil.copyfile(pins, made_from)
    return python


def run(script: Path, *arguments: str, peers: str = "peers") -> Any:
    """What a script that runs in the Python of the environment `.{peers}` prints as JSON in its last line.

    The script may import what lies in this folder.
    """
    command = [str(make(peers)), str(script), *arguments]
    environment = os.environ | {"PYTHONPATH": str(BENCHMARKS)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    make()
