"""Detection judged by simulation and by labelled series, with nothing but this repository.

``brands`` simulates, ``oracle`` is the bound, ``methods`` are what is compared, ``measure`` has thresholds, false alarms and delays,
``study`` runs them, ``nab`` scores labelled series, ``plots`` and ``report`` show what came out. Start: ``python -m benchmarks.detection -h``.
"""
