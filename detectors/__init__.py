"""Online statistics that watch streams of counts; stands alone and imports nothing of the service.

``DETECTORS`` names every detector that keeps the contract of ``detectors.base``; the conformance
suite runs over it, so a new detector is its file and one line here.
"""

from collections.abc import Callable
from typing import Any

from detectors.base import Bucket, Detector, Score, SnapshotVersionError
from detectors.combine import BrandDetector, BrandReading
from detectors.crisis import CrisisDetector, Reading
from detectors.share import ShareDetector
from detectors.silence import SilenceDetector
from detectors.volume import VolumeDetector

DETECTORS: dict[str, Callable[..., Any]] = {
    "brand": BrandDetector,
    "crisis": CrisisDetector,
    "share": ShareDetector,
    "silence": SilenceDetector,
    "volume": VolumeDetector,
}

__all__ = [
    "DETECTORS",
    "BrandDetector",
    "BrandReading",
    "Bucket",
    "CrisisDetector",
    "Detector",
    "Reading",
    "Score",
    "SnapshotVersionError",
]
