#!/bin/sh
# The compose file's one-shot service: leaves the password of each user of the broker in a volume,
# which the broker and that user's app alone can read. Precedence: the file that
# <USER>_BROKER_PASSWORD_FILE names, <USER>_BROKER_PASSWORD, the password of an earlier start, a new
# random one.
set -eu

for user in widget worker; do
  name=$(echo "$user" | tr '[:lower:]' '[:upper:]')_BROKER_PASSWORD
  value='' file=''
  eval "value=\${$name:-} file=\${${name}_FILE:-}"
  target=/passwords/$user/password
  text=
  if [ -n "$file" ]; then text=$(cat "$file") || { echo "${name}_FILE cannot be read" >&2; exit 1; }; fi
  if [ -z "$text" ]; then text=$value; fi
  if [ -z "$text" ] && [ -s "$target" ]; then continue; fi
  if [ -z "$text" ]; then text=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n'); fi
  rm -f "$target.new"
  printf %s "$text" > "$target.new"
  chmod 444 "$target.new"
  mv "$target.new" "$target"
done
if cmp -s /passwords/widget/password /passwords/worker/password; then
  echo "WIDGET_BROKER_PASSWORD and WORKER_BROKER_PASSWORD must differ" >&2
  exit 1
fi
