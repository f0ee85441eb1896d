#!/bin/sh
# Entry point of `npm start` and `npm test`, which works without Node packages: checks Node, installs
# the packages of package-lock.json, and runs the script named by the first argument.
set -eu
cd "$(dirname "$0")/.."

node -e '
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    console.error(`Node ${process.versions.node} is too old: install Node 20.19 or newer.`);
    process.exit(1);
  }'

# npm writes node_modules/.package-lock.json last, so it is newer only after a complete install of
# the current package-lock.json.
# shellcheck disable=SC3013 # dash, bash, ksh and busybox know -nt.
installed() { [ node_modules/.package-lock.json -nt package-lock.json ]; }

install() {
  installed && return
  begin=$(date +%s)
  # --no-save leaves package-lock.json unchanged. Not npm ci: it refuses a lock file without the
  # optional packages of other platforms, which some registries lack.
  npm install --no-save --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
  echo "packages  installed from package-lock.json, $(($(date +%s) - begin)) s"
}

if ! installed; then
  mkdir -p .state
  # Only one command in a checkout installs at a time.
  if command -v flock >/dev/null; then
    (flock 9 && install) 9>.state/npm.lock
  else
    install
  fi
fi

script=$1
shift
# tsx's cache would stay in the system's temporary folder forever, and saves nothing here.
export TSX_DISABLE_CACHE=1
# exec: a signal for the script must not end a shell in between.
exec node --import tsx --conditions=source "$script" "$@"
