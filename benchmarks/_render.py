"""docs/results.md from benchmarks/results/*.json: one section a claim, every number as it was measured."""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
HEAD = """# Results

Rendered by `make docs` from `benchmarks/results/*.json`; every claim is a command that anybody can run. Intervals are
95 % intervals over users: of the bootstrap, or of the standard error where the claim says so. Where we lose, the table
says so.
"""


def main() -> None:
    """Render the page."""
    files = sorted((ROOT / "benchmarks/results").glob("*.json"))
    results = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    (ROOT / "docs/results.md").write_text("\n".join([HEAD, *map(_section, results)]), encoding="utf-8")


def _section(result: dict[str, Any]) -> str:
    figures = "\n".join(f"| {name} | {value} |" for name, value in result["figures"].items())
    rows = "\n".join(
        f"| {row['data']} | {row['split']} | {row['model']} | {row['metric']} | {row['value']} | {_interval(row)} |"
        for row in result["rows"]
    )
    return f"""## {result["claim"]}

`{result["command"]}` at {result["commit"]}, {result["date"]}, on {result["machine"]}.
{_note(result)}
| figure | value |
| --- | --- |
{figures}

| data | split | model | metric | value | interval |
| --- | --- | --- | --- | --- | --- |
{rows}
"""


def _note(result: dict[str, Any]) -> str:
    return f"\n{result['note']}\n" if result.get("note") else ""


def _interval(row: dict[str, Any]) -> str:
    told = f"{row['low']} to {row['high']}" if row.get("low") is not None else ""
    if row.get("gain") is not None:
        over = row.get("gain_over", "over the row of this metric before")
        told += f"; gain {row['gain']:.4f} ({row['gain_low']:.4f} to {row['gain_high']:.4f}) {over}"
    return told


if __name__ == "__main__":
    main()
