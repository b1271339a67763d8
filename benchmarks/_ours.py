"""Our side of a benchmark in a process of its own, as the peers' is (`_peers.py`)."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import _result


def run(script: Path, *arguments: str | Path) -> Any:
    """What a script prints as JSON in its last line. It may import what lies in this folder."""
    command = [sys.executable, "-W", "ignore", str(script), *map(str, arguments)]
    places = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(places)}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, env=environment)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed: see above")
    return json.loads(done.stdout.splitlines()[-1])


def once(claim: str, name: str, script: Path, *arguments: str | Path, by: Callable[..., Any] = run) -> Any:
    """What `by` gives, and the `commit` that gave it; measured once for a cache folder (SHORTLIST_CACHE)."""
    known = Path(os.environ.get("SHORTLIST_CACHE", tempfile.gettempdir())) / claim / f"{name}.json"
    if not known.exists():
        found = {"commit": _result.commit(), "told": by(script, *arguments)}
        known.parent.mkdir(parents=True, exist_ok=True)
        known.write_text(json.dumps(found), encoding="utf-8")
    print(name, known.read_text(encoding="utf-8"), file=sys.stderr, flush=True)
    return json.loads(known.read_text(encoding="utf-8"))
