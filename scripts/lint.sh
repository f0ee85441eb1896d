#!/bin/sh
# What `npm run lint` checks. With --fix, formats what can be formatted.
# Use: scripts/lint.sh [--fix]
set -eu

c_files() { git ls-files '*.c' '*.h' | grep -v '/protocol\.h$'; } # Made by npm run generate.
shell_files() { git ls-files '*.sh' .ci/run; }

if [ "${1:-}" = --fix ]; then
  npx prettier --log-level warn --write .
  npx eslint --fix .
  if command -v clang-format > /dev/null; then c_files | xargs clang-format -i; fi
  exit
fi

npx eslint .
npx prettier --log-level warn --check .

# Debian's packages, since npm has no such tools.
for tool in clang-format shellcheck; do
  if ! command -v "$tool" > /dev/null && [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
    apt-get install --yes --no-install-recommends "$tool" > /dev/null 2>&1 || { apt-get update && apt-get install --yes --no-install-recommends "$tool"; } > /dev/null 2>&1 || true
  fi
done
if command -v clang-format > /dev/null; then c_files | xargs clang-format --dry-run -Werror; else echo 'not checked: the format of C. Install clang-format.'; fi
if command -v shellcheck > /dev/null; then shell_files | xargs shellcheck --severity warning; else echo 'not checked: shell scripts. Install shellcheck.'; fi
