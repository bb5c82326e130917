#!/usr/bin/env bash
# Installs what the tests start from PATH: mosquitto, promtool (package prometheus), amtool (package prometheus-alertmanager).
# As root through apt where something is missing; otherwise says what to install.
set -euo pipefail
PATH=$PATH:/usr/sbin
declare -A package=([mosquitto]=mosquitto [promtool]=prometheus [amtool]=prometheus-alertmanager)
missing=()
for tool in "${!package[@]}"; do
  command -v "$tool" >/dev/null || missing+=("${package[$tool]}")
done
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "Please install: ${missing[*]} (the tests start mosquitto, promtool and amtool from PATH)" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
# The packages would start their services; a policy of 101 keeps them from it. The tests start their own.
policy=/usr/sbin/policy-rc.d
made=
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
  made=1
fi
trap '[ -z "$made" ] || rm -f "$policy"' EXIT
for try in 1 2 3; do
  if apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null; then
    exit 0
  fi
  sleep $((try * 10))
done
echo "apt could not install: ${missing[*]}" >&2
exit 1
