#!/bin/sh
# Fetches the source of SWUpdate from Debian, and Debian's changes to it:
#   fetch-swupdate.sh INTO
# By the list of Debian's archive, which is signed and has each file's SHA-256. Not with
# `apt-get source`, which wants a third file that only says the same.
set -eu

into=$1
sources=/etc/apt/sources.list.d/swupdate-source.list
run_apt() { apt-get -qq -o APT::Sandbox::User=root -o Acquire::Retries=5 -o Acquire::Languages=none "$@"; }

# Into the builder's root: what is written there ends with this command.
sed 's/^deb /deb-src /; s/arch=[^] ]* *//' /etc/apt/sources.list > "$sources"
run_apt update
cd "$into"
run_apt source --print-uris swupdate | sed -n "s/^'\([^']*\)' \([^ ]*\.tar\.[^ ]*\) .*SHA256:\([0-9a-f]\{64\}\)\$/\1 \2 \3/p" > list
[ "$(wc -l < list)" -eq 2 ] || { echo "fetch-swupdate: Debian's archive has not one source and one set of changes:" >&2; cat list >&2; exit 1; }
while read -r url file sha256; do
    curl --silent --show-error --fail --location --retry 5 --output "$file" "$url"
    echo "$sha256  $file" | sha256sum --check --quiet
done < list
mv ./*.orig.tar.* source.tar.xz
mv ./*.debian.tar.* changes.tar.xz
