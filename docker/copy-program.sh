#!/bin/sh
# Copies a program and the libraries that it needs, and nothing else, into FOLDER, the root of an
# image without a shell; there it runs as nobody, 65534. Usage: copy-program.sh PROGRAM FOLDER
set -eu
program=$1 folder=$2
mkdir -p "$folder/etc" "$folder/usr/lib"
cd "$folder"
ln -s usr/lib usr/lib64 .
# What is loaded lies below /usr, and /lib and /lib64 are links to there.
ldd "$program" | grep -o '/[^ ]*' | sed 's|^/lib|/usr/lib|' | xargs cp --dereference --parents --target-directory .
cp --dereference --parents "$program" .
# How names of hosts are looked up: as everywhere on Debian.
cp /etc/nsswitch.conf etc/
echo 'root:x:0:0::/:/nologin' > etc/passwd
echo 'nobody:x:65534:65534::/:/nologin' >> etc/passwd
