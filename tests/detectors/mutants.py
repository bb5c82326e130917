"""Hand-made mutants of the detectors: each changes one line for the worse, and the tests must notice.

``make mutants`` runs it. Not part of the suite, since each mutant costs some seconds. A mutant whose line is no longer
there is an error too: then change it here with the code.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class Mutant(NamedTuple):
    """One line of a file of ``detectors/`` changed, and the tests that are expected to notice."""

    what: str
    file: str
    old: str
    new: str
    tests: str  # files of tests/detectors, by the part of their names after "test_"


MUTANTS = (
    Mutant(
        "tempering is forgotten",
        "share.py",
        "weight = 1.0 if mentions <= self.temper else self.temper / mentions",
        "weight = 1.0",
        "share properties",
    ),
    Mutant(
        "the boundary loses its margin",
        "share.py",
        "usual = p + offset + self._needed(self.wander.margin, p) + slack",
        "usual = p + offset + slack",
        "share rates",
    ),
    Mutant(
        "the recent share may fall below the usual",
        "share.py",
        "return max(p + offset, recent)",
        "return recent",
        "share",
    ),
    Mutant(
        "rougher channels get the brand's boundary",
        "share.py",
        "(n, k, *self.boundaries(offset))",
        "(n, k, *self.boundaries())",
        "combine",
    ),
    Mutant(
        "an incident teaches what is usual",
        "crisis.py",
        "learn = not self.held",
        "learn = True",
        "crisis",
    ),
    Mutant(
        "volume evidence is not capped",
        "crisis.py",
        "VOLUME_CAP = 3.0  #",
        "VOLUME_CAP = 30.0  #",
        "crisis",
    ),
    Mutant(
        "a silence is always believed",
        "crisis.py",
        "return self.silence > HOLD_NATS and start - self.silence_since < FORGIVE_SECONDS",
        "return False",
        "crisis collapse",
    ),
    Mutant(
        "a backlog is news",
        "crisis.py",
        "self.level.owe(owed)",
        "self.level.owe(0.0)",
        "crisis",
    ),
    Mutant(
        "a planned event does not change the expectation",
        "profile.py",
        "self.expected = self.current * self.multiplier\n",
        "self.expected = self.current\n",
        "crisis",
    ),
    Mutant(
        "the hours are those of UTC",
        "profile.py",
        "local = datetime.fromtimestamp(start, self._zone)",
        'local = datetime.fromtimestamp(start, ZoneInfo("UTC"))',
        "profile properties",
    ),
    Mutant(
        "fewer mentions are evidence of growth",
        "volume.py",
        "if value <= 0:\n                cusum[j] = 0.0",
        "if value <= -9:\n                cusum[j] = 0.0",
        "volume",
    ),
    Mutant(
        "a collapse never ends",
        "volume.py",
        "value = min(EVIDENCE_LIMIT, self.evidence + gain + count * LOG_COLLAPSED)",
        "value = min(EVIDENCE_LIMIT, self.evidence + gain)",
        "collapse",
    ),
    Mutant(
        "a dead collector is a lasting collapse",
        "volume.py",
        "elif self.lasting < 0 and count > 0:",
        "elif self.lasting < 0:",
        "collapse",
    ),
    Mutant(
        "a surge right after a gap counts",
        "crisis.py",
        "                self.after_gap = True\n",
        "                self.after_gap = False\n",
        "crisis",
    ),
    Mutant(
        "a collapse is accepted in the first week",
        "crisis.py",
        "young = at - self.first_start < LEARNING_DAYS * 86400",
        "young = False",
        "collapse",
    ),
    Mutant(
        "blocks with an incident count",
        "calibration.py",
        "if self.block_end and not self.excluded:",
        "if self.block_end:",
        "calibration",
    ),
    Mutant(
        "one block may count for anything",
        "calibration.py",
        "self._record(min(self.block_max, self.value + SURPRISE_LIMIT))",
        "self._record(self.block_max)",
        "calibration",
    ),
    Mutant(
        "what others needed outweighs all own blocks",
        "calibration.py",
        "weight += tail.blocks\n            value += tail.blocks * tail.level(self.budget_days)",
        "weight += 7.0\n            value += 7.0 * tail.level(self.budget_days)",
        "pool",
    ),
    Mutant(
        "a brand borrows from itself",
        "pool.py",
        "skip = len(levels) if own is None else bisect_left(levels, own.level(budget_days))",
        "skip = len(levels)",
        "pool",
    ),
    Mutant(
        "channels are added up instead of averaged",
        "combine.py",
        "rest = sum(math.exp(score - top) for score in channels) / len(channels)",
        "rest = sum(math.exp(score - top) for score in channels)",
        "properties",
    ),
    Mutant(
        "a surge in the first weeks counts whatever is said",
        "crisis.py",
        "if kind == NEGATIVE and self._mostly_negative(without):",
        "if kind == NEGATIVE:",
        "crisis",
    ),
    Mutant(
        "a restart forgets the clock of a collapse",
        "volume.py",
        'collapse.evidence, collapse.lasting, collapse.onset = data["state"]',
        'collapse.evidence, _, collapse.onset = data["state"]',
        "properties conformance collapse",
    ),
    Mutant(
        "idle minutes leave the volume evidence standing",
        "volume.py",
        "self.evidence = evidence[-1]\n",
        "self.evidence = evidence[0]\n",
        "idle",
    ),
)


def killed(mutant: Mutant, place: Path) -> bool:
    """Whether the tests notice.

    Raises:
        ValueError: The line is not there, or more than once.
    """
    source = (ROOT / "detectors" / mutant.file).read_text()
    if source.count(mutant.old) != 1:
        raise ValueError(f"{mutant.file} holds {source.count(mutant.old)} times: {mutant.old}")
    target = place / "detectors" / mutant.file
    target.write_text(source.replace(mutant.old, mutant.new))
    tests = [f"tests/detectors/test_{name}.py" for name in mutant.tests.split()]
    # -B: two mutants of one file may have the same size and second, and Python would take the old byte code.
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    target.write_text(source)
    if done.returncode not in {0, 1}:  # neither passed nor failed: the tests could not run
        raise ValueError(f"the tests did not run:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.returncode == 1


def main() -> int:
    """Try each mutant on a copy; the number of survivors."""
    chosen = [one for one in MUTANTS if all(word in one.what for word in sys.argv[1:])]
    survivors = 0
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        leave = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "detectors", place / "detectors", ignore=leave)
        shutil.copytree(ROOT / "tests" / "detectors", place / "tests" / "detectors", ignore=leave)
        (place / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
        for mutant in chosen:
            dead = killed(mutant, place)
            survivors += not dead
            print("killed  " if dead else "SURVIVED", mutant.what, flush=True)  # noqa: T201 - a script's answer
    return min(1, survivors)


if __name__ == "__main__":
    sys.exit(main())
