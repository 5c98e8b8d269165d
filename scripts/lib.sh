# Shared by the scripts beside it: where we are, and how to say what is going on.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
export LANG=C.UTF-8 LC_ALL=C.UTF-8
jobs=${HUITANG_JOBS:-$(nproc)}

say() { printf '\033[1m== %s\033[0m (%s)\n' "$*" "$(date +%H:%M:%S)"; }
die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

# npm_install DIR: once for each state of its lock file.
npm_install() {
  local dir=$1 stamp=$1/node_modules/.huitang-installed
  if [ ! -f "$stamp" ] || ! cmp -s "$dir/package-lock.json" "$stamp"; then
    # `npm ci` of npm 11 wants every platform's optional package in the lock file, also those that a registry does not
    # carry; `npm install` takes the versions of the lock file, too, and leaves out what is optional and absent.
    (cd "$dir" && { npm ci --no-audit --no-fund --ignore-scripts 2> "${TMPDIR:-/tmp}/npm-ci.$$" ||
      { tail -n 1 "${TMPDIR:-/tmp}/npm-ci.$$" >&2; npm install --no-save --no-audit --no-fund --ignore-scripts; }; })
    rm -f "${TMPDIR:-/tmp}/npm-ci.$$"
    cp "$dir/package-lock.json" "$stamp"
  fi
}
