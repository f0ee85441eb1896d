#!/bin/sh
# Writes the definitions with the names, limits and passwords of this installation, then becomes
# the broker. No secret is in a command's arguments, where every process could read it.
set -eu
umask 077

die() {
  echo "$1" >&2
  exit 1
}

# Prints the password of $1: the text of the file that $1_FILE names, else the value of $1.
password() {
  eval "value=\${$1:-} file=\${$1_FILE:-}"
  if [ -n "$file" ]; then
    text=$(cat "$file") || die "$1_FILE cannot be read"
    if [ -n "$text" ]; then
      printf %s "$text"
      return
    fi
  fi
  [ -n "$value" ] || die "$1 is not set, and there is no file with a password that $1_FILE names"
  case $value in
    # It is a part of a URL as well; what comes from a file is not.
    *[!A-Za-z0-9_-]*) die "$1 may hold letters, digits, - and _ alone (a file may hold any password)" ;;
  esac
  printf %s "$value"
}

# RabbitMQ's own form: a salt of 4 bytes, and the SHA-256 of it and the password.
hash() {
  salt=$(od -An -N4 -tx1 /dev/urandom | tr -d ' \n' | tr a-f A-F)
  sum=$({ printf %s "$salt" | basenc --base16 -d; printf %s "$1"; } | sha256sum | cut -c1-64 | tr a-f A-F)
  printf %s "$salt$sum" | basenc --base16 -d | base64 -w0
}

NAMESPACE=${NAMESPACE:-widget} WAITING_TASKS=${WAITING_TASKS:-200} REPLY_EXPIRY_MS=${REPLY_EXPIRY_MS:-900000}
case $NAMESPACE in *[!A-Za-z0-9_-]*) die "NAMESPACE may hold letters, digits, - and _ alone" ;; esac
case $WAITING_TASKS$REPLY_EXPIRY_MS in *[!0-9]*) die "WAITING_TASKS and REPLY_EXPIRY_MS are whole numbers" ;; esac

widget=$(password WIDGET_BROKER_PASSWORD)
worker=$(password WORKER_BROKER_PASSWORD)
[ "$widget" != "$worker" ] || die "WIDGET_BROKER_PASSWORD and WORKER_BROKER_PASSWORD must differ"

# A third user, who may do anything in the virtual host: for the dead letters, and for tests.
user='' permission=''
if [ -n "${OPERATOR_BROKER_PASSWORD:-}${OPERATOR_BROKER_PASSWORD_FILE:-}" ]; then
  operator=$(password OPERATOR_BROKER_PASSWORD)
  user='{ "name": "operator", "password_hash": "'$(hash "$operator")'", "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": [] },'
  permission='{ "user": "operator", "vhost": "widgets", "configure": ".*", "write": ".*", "read": ".*" },'
fi

sed -f - /etc/rabbitmq/definitions.json > /run/rabbitmq/definitions.json <<SCRIPT
s|"users": \[|&$user|
s|"permissions": \[|&$permission|
s|@WIDGET_PASSWORD_HASH@|$(hash "$widget")|
s|@WORKER_PASSWORD_HASH@|$(hash "$worker")|
s|@NAMESPACE@|$NAMESPACE|g
s|"@WAITING_TASKS@"|$WAITING_TASKS|
s|"@REPLY_EXPIRY_MS@"|$REPLY_EXPIRY_MS|
SCRIPT
# The nodes of a cluster know each other by it; Erlang wants it unreadable for others.
if [ -n "${ERLANG_COOKIE_FILE:-}" ]; then
  rm -f "$HOME/.erlang.cookie"
  cat "$ERLANG_COOKIE_FILE" > "$HOME/.erlang.cookie" || die "ERLANG_COOKIE_FILE cannot be read"
  chmod 400 "$HOME/.erlang.cookie"
fi
unset WIDGET_BROKER_PASSWORD WORKER_BROKER_PASSWORD OPERATOR_BROKER_PASSWORD widget worker operator
exec /usr/lib/rabbitmq/bin/rabbitmq-server
