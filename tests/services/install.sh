#!/bin/sh
# Installs the servers that tests marked `services` need, where they are absent and this user may: Debian packages, none started.
set -eu
missing=""
command -v prometheus >/dev/null || missing="$missing prometheus"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "not installed:$missing (as root on Debian: apt-get install$missing); the tests that need it are skipped"
  exit 0
fi
echo "installing$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq || true
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing >/dev/null || echo "could not install$missing"
