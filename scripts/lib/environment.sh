# Sourced by the scripts: what a fresh Debian machine lacks is installed here, and only here.

say() { printf '%s\n' "$*" >&2; }

fail() {
  say "$*"
  exit 1
}

# Commands answered by packages that the caller names: ensure_packages COMMAND=PACKAGE …
ensure_packages() {
  local missing=() pair
  for pair in "$@"; do
    case "${pair%%=*}" in
      # A path: the package is there when the file is.
      /*) [ -e "${pair%%=*}" ] || missing+=("${pair#*=}") ;;
      *) PATH="$PATH:/usr/sbin:/sbin" command -v "${pair%%=*}" >/dev/null 2>&1 || missing+=("${pair#*=}") ;;
    esac
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null 2>&1 ||
    fail "These are missing, and only Debian's apt-get is known here; please install them: ${missing[*]}"
  [ "$(id -u)" = 0 ] || fail "These Debian packages are missing; install them as root: ${missing[*]}"
  say "Installing Debian packages: ${missing[*]}"
  # Packaged servers must not start by themselves: what runs is what our scripts start.
  local policy=/usr/sbin/policy-rc.d made=
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && made=yes
  fi
  local status=0
  apt_get "${missing[@]}" || status=$?
  [ -z "$made" ] || rm -f "$policy"
  [ "$status" = 0 ] || fail "apt-get could not install: ${missing[*]}"
}

apt_get() {
  export DEBIAN_FRONTEND=noninteractive
  apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1 && return 0
  apt-get update -qq >&2 && apt-get install -y -qq --no-install-recommends "$@" >&2
}

find_python() {
  local name
  for name in python3.11 python3 python3.12 python3.13; do
    command -v "$name" >/dev/null 2>&1 || continue
    "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' && command -v "$name" && return 0
  done
  return 1
}

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# install_pinned FOLDER REQUIREMENTS: a virtual environment with these pins, hashes checked; nothing is
# done where the same pins were installed before.
install_pinned() {
  local folder=$1 requirements=$2 stamp python
  stamp="$folder/.installed-$(cat "$requirements" requirements/tools.txt pyproject.toml | sha256sum | cut -c1-16)"
  [ ! -e "$stamp" ] || return 0
  say "Installing Python packages ($(basename "$requirements" .txt)); the first time takes a minute"
  if [ ! -x "$folder/bin/python" ]; then
    python=$(find_python) || {
      ensure_packages python3=python3
      python=$(find_python) || fail "Python 3.11 or newer is needed."
    }
    "$python" -c 'import ensurepip' 2>/dev/null || ensure_packages /missing=python3-venv
    "$python" -m venv "$folder"
  fi
  if [ "$folder" = "$ROOT/.venv" ]; then
    [ -x "$folder/bin/uv" ] || "$folder/bin/python" -m pip install -q --disable-pip-version-check --require-hashes \
      -r requirements/tools.txt
    uv_install "$folder" --require-hashes -r requirements/tools.txt -r "$requirements"
    uv_install "$folder" --no-deps --no-build-isolation --editable .
  else
    uv_install "$folder" --require-hashes -r "$requirements"
  fi
  touch "$stamp"
}

uv_install() {
  local folder=$1
  shift
  "$ROOT/.venv/bin/uv" pip install -q --python "$folder/bin/python" "$@"
}

# ensure_python [dev]: our own environment, first in PATH afterwards. What tests need holds what running needs.
ensure_python() {
  cd "$ROOT"
  local dev
  dev="$ROOT/.venv/.installed-$(cat requirements/dev.txt requirements/tools.txt pyproject.toml | sha256sum | cut -c1-16)"
  [ -e "$dev" ] || install_pinned "$ROOT/.venv" "requirements/${1:-run}.txt"
  PATH="$ROOT/.venv/bin:$PATH"
  export PATH
}
