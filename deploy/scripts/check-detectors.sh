#!/usr/bin/env bash
# Runs tests/detectors where nothing of the service is installed: detectors/ stands alone.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q -c constraints.txt pytest pytest-timeout hypothesis tzdata
mkdir "$work/alone" "$work/alone/tests"
cp -r detectors "$work/alone/"
cp -r tests/detectors "$work/alone/tests/"
cd "$work/alone"
"$work/venv/bin/python" -m pytest -q -p no:cacheprovider --import-mode=importlib --doctest-modules tests/detectors detectors
