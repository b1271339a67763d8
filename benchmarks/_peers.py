"""The environment of the libraries that Shortlist is measured against: `.peers/`, made from `peers.txt`.

They cannot stand beside Shortlist (RecTools needs NumPy 1), so whoever asks them runs a script of theirs in their own
Python and reads the JSON that it prints. `python benchmarks/_peers.py` makes the environment where it is missing or
was made from other pins.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

PINS = Path(__file__).parent / "peers.txt"
FOLDER = Path(__file__).parent.parent / ".peers"
PYTHON = FOLDER / "bin/python"
MADE_FROM = FOLDER / "peers.txt"
"""A copy of the pins, put there when all of them are installed."""


def make() -> None:
    """Makes the environment, unless it stands there made from these very pins."""
    if MADE_FROM.exists() and MADE_FROM.read_bytes() == PINS.read_bytes():
        return
    print("the libraries that Shortlist is held to are installed in .peers", file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(FOLDER)], check=True)
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", str(PINS)]
    if subprocess.run(pip, check=False).returncode:
        shutil.rmtree(FOLDER)
        sys.exit("the libraries that Shortlist is held to cannot all be installed for this Python: see above")
    shutil.copyfile(PINS, MADE_FROM)


def run(script: Path, *arguments: str) -> Any:
    """What a script that runs in the peers' Python prints as JSON in its last line."""
    make()
    command = [str(PYTHON), str(script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    make()
