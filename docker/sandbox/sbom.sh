#!/bin/sh
# Prints a list of what is in an image, as CycloneDX: the Debian packages that the files of FOLDER
# come from (of /, all that are installed), and the components of FILEs, JSON objects one a line.
# Usage: sbom.sh IMAGE FOLDER [FILE...]
set -eu
image=$1 folder=$2
shift 2
. /etc/os-release
deb='{"type":"library","name":"${Package}","version":"${Version}",'
deb="$deb\"purl\":\"pkg:deb/debian/\${Package}@\${Version}?arch=\${Architecture}&distro=debian-$VERSION_ID\"}\n"

packages() {
    if [ "$folder" = / ]; then
        dpkg-query --show --showformat '${binary:Package}\n'
    else
        # Files of ours belong to no package, which is no error.
        find "$folder" ! -type d -printf '/%P\0' | { xargs -0 dpkg-query --search 2> /dev/null || true; } |
            sed -e '/^diversion by/d' -e 's/: .*//' -e 's/, /\n/g' | sort -u
    fi
}

echo '{"bomFormat":"CycloneDX","specVersion":"1.6","version":1,'
echo "\"metadata\":{\"component\":{\"type\":\"container\",\"name\":\"$image\"}},\"components\":["
{
    # In a package URL, a + is written %2B.
    packages | xargs dpkg-query --show --showformat "$deb" | sed -e :a -e 's/\("purl.*\)+/\1%2B/' -e ta
    cat /dev/null "$@"
} | sort -u | sed '$! s/$/,/'
echo ']}'
