"""Whether the classifier's scores have drifted: the posts have changed, or the model no longer fits them.

What lives here: one ADWIN a language over the negative probabilities (Bifet and Gavaldà, "Learning from Time-Changing Data with Adaptive
Windowing", SDM 2007), as river has it. It watches the *classifier*, never the brands: alarms are the detectors' affair. river's drift
module loads scipy, seconds of CPU; it is imported with the first watched verdict, in the scoring thread.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sentinel.language.base import UNSCORED
from sentinel.model import Verdict

DELTA = 1e-4
"""ADWIN's confidence: false changes are rarer than one in ten thousand windows."""
EVERY = 10
"""Posts a point: single probabilities are too rough, their mean over ten is smooth enough."""


class ScoreDrift:
    """Counts changes in the mean negative probability, by language.

    >>> watch = ScoreDrift()
    >>> calm = Verdict("it", 0.1, 0.8, 0.1, "neutral", model_id="m")
    >>> harsh = Verdict("it", 0.9, 0.05, 0.05, "negative", model_id="m")
    >>> watch.seen([calm] * 3000)
    {}
    >>> watch.seen([harsh] * 3000)
    {'it': 1}
    """

    def __init__(self) -> None:
        self._windows: dict[str, Any] = {}
        self._sums: dict[str, tuple[float, int]] = {}

    def seen(self, verdicts: Iterable[Verdict]) -> dict[str, int]:
        """Take verdicts in; gives the number of changes found in them, by language. Not thread-safe."""
        found: dict[str, int] = {}
        for verdict in verdicts:
            if verdict.model_id == UNSCORED:
                continue
            language = verdict.language
            total, number = self._sums.get(language, (0.0, 0))
            total, number = total + verdict.negative, number + 1
            if number == EVERY:
                window = self._window(language)
                window.update(total / EVERY)
                if window.drift_detected:
                    found[language] = found.get(language, 0) + 1
                total, number = 0.0, 0
            self._sums[language] = (total, number)
        return found

    def _window(self, language: str) -> Any:
        if language not in self._windows:
            from river.drift import ADWIN  # noqa: PLC0415 - loads scipy: seconds of CPU

            self._windows[language] = ADWIN(delta=DELTA)  # type: ignore[no-untyped-call]  # river is untyped
        return self._windows[language]
