#!/usr/bin/env bash
# Builds the wheel, installs it into a fresh environment, and runs the demo from an empty directory.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$root/.venv/bin/python" -m build --wheel --outdir "$work/dist" "$root" >"$work/build.log" 2>&1 || { cat "$work/build.log" >&2; exit 1; }
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q -c "$root/constraints.txt" "$work"/dist/*.whl
mkdir "$work/elsewhere"
cd "$work/elsewhere"
HOME=$work/elsewhere "$work/venv/bin/sentinel" --version
HOME=$work/elsewhere "$work/venv/bin/sentinel" playbooks lint
HOME=$work/elsewhere "$work/venv/bin/sentinel" demo --port 0 --no-wait >"$work/demo.log" 2>"$work/demo.err" || { cat "$work/demo.log" "$work/demo.err" >&2; exit 1; }
grep -c . "$work/demo.log" | sed 's/^/wheel: the demo said its piece in lines: /'
