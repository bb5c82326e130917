"""The demo, as a newcomer runs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.rig import ROOT


@pytest.mark.e2e
@pytest.mark.timeout(300)
def test_the_demo_alerts_once_prints_it_and_ends_with_0(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable, "-c", "from sentinel.cli import main; main()",
            "demo", "--port", "0", "--no-wait",
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
        text=True,
        timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Pastificio Aurora") >= 1
    assert "Northwind" not in done.stdout
    assert "1 incident(s)" in done.stderr
    assert "WRONG" not in done.stderr
    assert "Traceback" not in done.stderr
    assert "http://127.0.0.1:" in done.stderr
    assert list(tmp_path.iterdir()) == []
