#!/bin/sh
# Puts the password from the environment into the definitions, then becomes the broker.
set -eu
: "${BROKER_PASSWORD:?is not set}"
case $BROKER_PASSWORD in
  *[!A-Za-z0-9_-]*) echo "BROKER_PASSWORD may hold letters, digits, - and _ alone" >&2; exit 1 ;;
esac
umask 077
sed "s/@BROKER_PASSWORD@/$BROKER_PASSWORD/" /etc/rabbitmq/definitions.json > /run/rabbitmq/definitions.json
unset BROKER_PASSWORD
exec /usr/lib/rabbitmq/bin/rabbitmq-server
