#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `npm run peers`: installs on Debian the programs that tests compare with. Quick when all are there.
# Elsewhere it says what is missing and ends with 0: the tests name the reason when they skip.
set -euo pipefail

# What is looked for, and the Debian package that brings it. test/lib/peer.ts holds the same list.
peers=(
  "chromium:chromium"
  "gcc:gcc"
  "lz4.h:liblz4-dev"
  "lz4:lz4"
)

present() {
  case "$1" in
    *.h) [ -e "/usr/include/$1" ] ;;
    *) command -v "$1" >/dev/null 2>&1 ;;
  esac
}

missing=()
for peer in "${peers[@]}"; do
  present "${peer%%:*}" || missing+=("${peer##*:}")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "peers: all present"
  exit 0
fi
echo "peers: missing: ${missing[*]}"
if ! command -v apt-get >/dev/null 2>&1; then
  echo "peers: no apt-get here (not Debian): install them by hand."
  echo "peers: tests that need them skip, or fail with CI=true"
  exit 0
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! sudo -n true 2>/dev/null; then
    echo "peers: not root and no sudo without a password: run as root: apt-get install ${missing[*]}"
    exit 0
  fi
  as_root=(sudo -n)
fi
export DEBIAN_FRONTEND=noninteractive
install=(apt-get install -y --no-install-recommends "${missing[@]}")
# The lists of a fresh image are empty: the second try has them.
if ! "${as_root[@]}" "${install[@]}" </dev/null; then
  "${as_root[@]}" apt-get update </dev/null
  "${as_root[@]}" "${install[@]}" </dev/null
fi
echo "peers: installed ${missing[*]}"
