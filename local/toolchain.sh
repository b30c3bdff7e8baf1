#!/usr/bin/env bash
# Checks the programs that the stack needs from the system, and installs the missing ones with apt when it may.
# Needed: Python 3.11, Java 17 or newer, Maven, redis-server. Optional: prometheus; for tests chromium (the dashboards) and postgresql (the relational store).
set -euo pipefail

missing=() wanted=()
need() { # need COMMAND PACKAGE
    command -v "$1" >/dev/null 2>&1 || { missing+=("$1") wanted+=("$2"); }
}

# Debian's Python has no ensurepip without python3-venv; it is only needed to install uv.
command -v uv >/dev/null 2>&1 || python3 -c 'import ensurepip' >/dev/null 2>&1 || { missing+=("venv of python3") wanted+=(python3-venv); }
if command -v python3.11 >/dev/null 2>&1; then
    # Thread mode runs Python inside Flink's JVM: it needs the interpreter as a library, which Debian packages by itself.
    python3.11 - >/dev/null 2>&1 <<'PYTHON' || { missing+=("libpython3.11") wanted+=(libpython3.11); }
import contextlib, ctypes, pathlib, sysconfig
name = sysconfig.get_config_var("INSTSONAME")
with contextlib.suppress(OSError):
    ctypes.CDLL(name)
    raise SystemExit
ctypes.CDLL(str(pathlib.Path(sysconfig.get_config_var("LIBDIR"), name)))
PYTHON
elif ! { command -v uv >/dev/null 2>&1 && uv python find 3.11 >/dev/null 2>&1; }; then
    missing+=(python3.11) wanted+=(python3.11 libpython3.11)
fi
java_version=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' || true)
[ "${java_version:-0}" -ge 17 ] || { missing+=("java 17 or newer") wanted+=(openjdk-17-jre-headless); }
need mvn maven
need redis-server redis-server
optional=()
command -v prometheus >/dev/null 2>&1 || optional+=(prometheus)
command -v chromium >/dev/null 2>&1 || optional+=(chromium)
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || optional+=(postgresql)
[ "${#wanted[@]}" -eq 0 ] && [ "${#optional[@]}" -eq 0 ] && exit 0

without_optional() { echo "toolchain: not installed: $1; the stack starts without prometheus; without chromium and postgresql the tests that need them are skipped"; }
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    [ "${#wanted[@]}" -eq 0 ] && { without_optional "${optional[*]}"; exit 0; }
    echo "toolchain: missing: ${missing[*]}" >&2
    echo "toolchain: as root on Debian or Ubuntu: apt-get install --no-install-recommends ${wanted[*]} ${optional[*]}" >&2
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
apt_log=$(mktemp)
quietly() { DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 "$@" >"$apt_log" 2>&1; }
echo "toolchain: installing ${wanted[*]} ${optional[*]}"
quietly update || echo "toolchain: apt-get update failed, going on with the package lists at hand" >&2
if [ "${#wanted[@]}" -gt 0 ] && ! quietly install -y --no-install-recommends "${wanted[@]}"; then
    tail -n 20 "$apt_log" >&2
    echo "toolchain: apt-get could not install ${wanted[*]}; install them by hand and run make again" >&2
    exit 1
fi
# One by one: a system may have the one and not the other.
unavailable=()
for package in "${optional[@]}"; do
    quietly install -y --no-install-recommends "$package" || unavailable+=("$package")
done
[ "${#unavailable[@]}" -eq 0 ] || without_optional "${unavailable[*]}"
rm -f "$apt_log"
