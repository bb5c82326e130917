"""Finding the vendors' own checkers and the metric names that a file uses."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from sentinel.runtime.metrics import Metrics

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
NAME = re.compile(r"\bsentinel_[a-z0-9_]+\b")


def tool(name: str, package: str) -> str:
    """Path of a checker; without it the test is skipped on a desk and fails in CI."""
    found = shutil.which(name)
    if found is None:
        message = f"{name} is not on PATH (Debian package {package})"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


def run(*command: str | Path, cwd: Path | None = None, text: str | None = None) -> str:
    """Run a checker; its complaint is the assertion's message."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        input=text,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    return output


def exported_names() -> set[str]:
    """Every name that /metrics can show: samples of one source and one notifier."""
    families = Metrics(["one"], ["one"]).registry.collect()
    names = {sample.name for family in families for sample in family.samples}
    return names | {f"sentinel_{name}" for name in ("build_info",)}


def used_names(text: str) -> set[str]:
    """Metric names in a query or a file of queries."""
    return set(NAME.findall(text))
