#!/bin/sh
# Puts gnatprove into /opt/gnatprove, which stays empty where it is not wanted or not to be had.
# Usage: fetch-gnatprove.sh auto|yes|no URL SHA256
set -eu
with=$1 url=$2 sha256=$3
archive=/tmp/gnatprove.tar.gz

without() {
    echo "=================================================================="
    echo "NO GNATPROVE IN THIS IMAGE: $1"
    echo "=================================================================="
    exit "$2"
}

mkdir -p /opt/gnatprove
[ "$with" != no ] || without "WITH_GNATPROVE=no" 0

case "$url" in
*"$(uname -m)"*) ;;
*) [ "$with" = yes ] || without "$url is not for $(uname -m)" 0 ;;
esac

# Where the network does not allow it, that should be known in seconds; the archive takes longer.
if ! curl --fail --silent --show-error --location --connect-timeout 5 --speed-time 30 --speed-limit 1024 \
        --output "$archive" "$url"; then
    [ "$with" = yes ] && without "cannot download $url, and WITH_GNATPROVE=yes" 1
    without "cannot download $url" 0
fi

# A download that is not the one we know is never an excuse to go on without.
echo "$sha256  $archive" | sha256sum --check
tar --extract --gzip --file "$archive" --directory /opt/gnatprove --strip-components 1 --no-same-owner
rm "$archive"
test -x /opt/gnatprove/bin/gnatprove
# For the list of what is in the image.
version=$(basename "$url" .tar.gz)
cat > /opt/gnatprove/component.json <<EOF
{"type":"application","name":"gnatprove","version":"${version##*-linux-}","hashes":[{"alg":"SHA-256","content":"$sha256"}],"externalReferences":[{"type":"distribution","url":"$url"}]}
EOF
