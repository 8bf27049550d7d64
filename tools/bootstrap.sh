#!/bin/sh
# Makes the virtual environment .venv and keeps it current:  tools/bootstrap.sh [run|dev|bench]
#   run: what `make up` needs; dev: the tests' and checks' tools too; bench: the fastest MySQL driver besides.
# Does nothing (in well under a second) while pyproject.toml is the one it was made from.
set -eu
cd "$(dirname "$0")/.."
mode=${1:-run}
venv=.venv
log=build/bootstrap.log

say() { printf '%s\n' "$*"; }
fail() { printf 'bootstrap: %s\n' "$*" >&2; exit 1; }

case $mode in
run) extras=tour ;;
dev) extras=tour,dev ;;
bench) extras=tour,dev,mysqlclient ;;
*) fail "unknown mode $mode (run, dev or bench)" ;;
esac

key="$(sha256sum pyproject.toml | cut -d' ' -f1) $(pwd)"
current() { [ -x $venv/bin/python ] && [ "$(cat "$venv/.made-$1" 2>/dev/null)" = "$key" ]; }
if current bench || current "$mode" || { [ "$mode" = run ] && current dev; }; then
    exit 0
fi
mkdir -p build

# ---- a Python of at least 3.11; a name on PATH may be a stand-in that does not run, so each is tried
fits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
python=
for name in python3 python3.11 python3.12 python3.13 python3.14; do
    if fits "$name"; then
        python=$name
        break
    fi
done
if [ -z "$python" ]; then
    fail "no Python 3.11 or newer; on Ubuntu 22.04: apt-get install python3.11 python3.11-venv python3.11-dev"
fi

# ---- system packages that building the environment takes
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
missing=
need() { missing="$missing $1"; }
"$python" -c 'import ensurepip, venv' 2>/dev/null || need "python$version-venv"
"$python" -c 'import os, sysconfig as s, sys; sys.exit(not os.path.exists(s.get_path("include") + "/Python.h"))' ||
    need "python$version-dev"
command -v gcc >/dev/null || need gcc
command -v pkg-config >/dev/null || need pkg-config
{ command -v pkg-config >/dev/null && pkg-config --exists libvirt; } || need libvirt-dev
[ -e /usr/include/stdlib.h ] || need libc6-dev
if [ "$mode" = bench ] && ! { command -v pkg-config >/dev/null && pkg-config --exists libmariadb; }; then
    need libmariadb-dev
fi
if [ -n "$missing" ]; then
    command -v apt-get >/dev/null || fail "this is made for Debian and Ubuntu; please install:$missing"
    sudo=
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || fail "run this as root, install sudo, or: apt-get install$missing"
        sudo=sudo
    fi
    say "installing system packages:$missing"
    apt() { $sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@" >>$log 2>&1; }
    apt update || fail "apt-get update failed, see $log"
    # shellcheck disable=SC2086  # a list of words
    apt install -y --no-install-recommends $missing || { tail -n 5 $log; fail "apt-get install failed, see $log"; }
fi

# ---- the environment
if ! { [ -x $venv/bin/python ] && fits $venv/bin/python && $venv/bin/python -m pip --version >/dev/null 2>&1; }; then
    say "making $venv with $("$python" --version)"
    rm -rf $venv
    "$python" -m venv $venv
fi
say "installing Python packages ($extras); this takes a minute or two the first time"
rm -f build/pip.failed
{ $venv/bin/python -m pip install --disable-pip-version-check --progress-bar off -e ".[$extras]" 2>&1 ||
    : >build/pip.failed; } | tee build/pip.log | awk '
    /^Collecting / { if (++n % 15 == 0) { print "  " n " packages found"; fflush() } }
    /^Building wheel/ { print "  building " $4; fflush() }
    /^Installing collected/ { print "  installing"; fflush() }
    /^ *(error|ERROR)/ { print "  " $0; fflush() }'
if [ -e build/pip.failed ]; then
    fail "pip failed, see build/pip.log"
fi
printf '%s' "$key" >"$venv/.made-$mode"
