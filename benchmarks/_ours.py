"""Our side of a benchmark in a process of its own, as the peers' is (`_peers.py`)."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def run(script: Path, *arguments: str | Path) -> Any:
    """What a script prints as JSON in its last line. It may import what lies in this folder."""
    command = [sys.executable, "-W", "ignore", str(script), *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, env=environment)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed: see above")
    return json.loads(done.stdout.splitlines()[-1])
