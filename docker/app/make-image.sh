#!/bin/sh
# Fills FOLDER, the root of an app's image: node, the app with what it needs itself (the widget's
# image holds no Docker client), and the list of all that. Run in the root of the repository.
# Usage: make-image.sh APP FOLDER
set -eu
app=$1 folder=$2
sh docker/copy-program.sh /usr/bin/node "$folder"
# Parts of node that Debian has in packages of their own, where node looks for them.
for part in acorn acorn-walk cjs-module-lexer minimatch undici; do
    cp --archive --parents "/usr/share/nodejs/$part" "$folder"
done
mkdir "$folder/usr/share/code-widgets"
# A volume takes its rights from the folder that it is put over.
if [ "$app" = worker ]; then mkdir -p "$folder/var/cache" && mkdir -m 1777 "$folder/var/cache/code-widgets"; fi
components=$(mktemp)
node docker/app/copy-app.mjs "apps/$app" "$folder/app" > "$components"
sh docker/sandbox/sbom.sh "code-widgets-$app" "$folder" "$components" > "$folder/usr/share/code-widgets/sbom.cdx.json"
rm "$components"
