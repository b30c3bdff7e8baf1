#!/usr/bin/env bash
# Checks the programs that the stack needs from the system, and installs the missing ones with apt when it may.
# Needed: Python 3.11, Java 17 or newer, Maven, redis-server. Optional: prometheus.
set -euo pipefail

missing=() wanted=()
need() { # need COMMAND PACKAGE
    command -v "$1" >/dev/null 2>&1 || { missing+=("$1") wanted+=("$2"); }
}

# uv makes the environments from whichever Python 3.11 it finds; Debian's lacks ensurepip until python3-venv is there.
command -v uv >/dev/null 2>&1 || python3 -c 'import ensurepip' >/dev/null 2>&1 || { missing+=("python3 with venv") wanted+=(python3-venv); }
need java openjdk-17-jre-headless
need mvn maven
need redis-server redis-server
if [ "${#missing[@]}" -gt 0 ] || [ "${TRIBUTARY_PROMETHEUS:-1}" = 1 ]; then
    command -v prometheus >/dev/null 2>&1 || wanted+=(prometheus)
fi
[ "${#wanted[@]}" -eq 0 ] && exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    [ "${#missing[@]}" -eq 0 ] && { echo "toolchain: prometheus is not installed; the stack starts without it"; exit 0; }
    echo "toolchain: missing: ${missing[*]}" >&2
    echo "toolchain: as root on Debian or Ubuntu: apt-get install --no-install-recommends ${wanted[*]}" >&2
    exit 1
fi

# Debian starts redis and prometheus as system services on their default ports when they are installed. The stack starts its own
# on its own ports, so the service start is refused for the length of this install.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
fi
echo "toolchain: installing ${wanted[*]}"
apt_log=$(mktemp)
apt_quiet() { DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 "$@" >"$apt_log" 2>&1; }
apt_quiet update || echo "toolchain: apt-get update failed, going on with the package lists at hand" >&2
if ! apt_quiet install -y --no-install-recommends "${wanted[@]}"; then
    # Prometheus is optional: one more try without it before giving up.
    required=("${wanted[@]/prometheus/}")
    required=(${required[@]})
    if [ "${#required[@]}" -gt 0 ] && ! apt_quiet install -y --no-install-recommends "${required[@]}"; then
        tail -n 20 "$apt_log" >&2
        echo "toolchain: apt-get could not install ${required[*]}; install them by hand and run make again" >&2
        exit 1
    fi
    echo "toolchain: prometheus could not be installed; the stack starts without it" >&2
fi
rm -f "$apt_log"
