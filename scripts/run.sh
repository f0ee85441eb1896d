#!/bin/sh
# What `npm start` and `npm test` run before any Node package exists: checks Node, installs the
# packages of package-lock.json, and becomes the script that is named first.
set -eu
cd "$(dirname "$0")/.."

node -e '
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    console.error(`Node ${process.versions.node} is too old: install Node 20.19 or newer.`);
    process.exit(1);
  }'

# npm writes node_modules/.package-lock.json last, so it is there and newer only after a whole
# install, by hand or by this script, of the present package-lock.json.
# shellcheck disable=SC3013 # dash, bash, ksh and busybox know -nt.
installed() { [ node_modules/.package-lock.json -nt package-lock.json ]; }

install() {
  installed && return
  begin=$(date +%s)
  # The versions of package-lock.json, which --no-save leaves alone. Not npm ci: it refuses a lock
  # file without the optional packages of other platforms, which not every registry can give.
  npm install --no-save --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
  echo "packages  installed from package-lock.json, $(($(date +%s) - begin)) s"
}

if ! installed; then
  mkdir -p .state
  # Two commands in one checkout take turns.
  if command -v flock >/dev/null; then
    (flock 9 && install) 9>.state/npm.lock
  else
    install
  fi
fi

script=$1
shift
# No cache of tsx: it would lie in the system's temporary folder for ever, and saves nothing here.
export TSX_DISABLE_CACHE=1
# exec, so that a signal meant for the script does not end a shell in between.
exec node --import tsx --conditions=source "$script" "$@"
