#!/bin/sh
# Builds SWUpdate as the layer's recipe configures it:
#   build-swupdate.sh FETCHED CONFIGURATION TRIPLE INTO
# FETCHED is what fetch-swupdate.sh has fetched, CONFIGURATION the layer's totton.cfg, TRIPLE the
# machine that it is for. INTO gets swupdate, swupdate-client with its library, and what starts them: Debian's units and
# script, with the sockets of the configuration.
set -eu

fetched=$1
configuration=$2
triple=$3
into=$4

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir source
tar -x -C source --strip-components=1 -f "$fetched/source.tar.xz"
tar -x -f "$fetched/changes.tar.xz"
cd source
git init --quiet
while read -r patch; do
    git apply --whitespace=nowarn "../debian/patches/$patch"
done < ../debian/patches/series
# Its makefile would ask Git for the version.
rm -r .git
# The page reads the progress as the layer's newer SWUpdate writes it: packed (its commit 485fd2be).
sed -i '/^struct progress_msg {/,/^};/s/^};/} __attribute__((__packed__));/' include/progress_ipc.h
grep -q '^} __attribute__((__packed__));' include/progress_ipc.h

export PKG_CONFIG_LIBDIR="/usr/lib/$triple/pkgconfig:/usr/share/pkgconfig"
# The rest of the configuration is SWUpdate's own defaults.
cp "$configuration" configs/totton_defconfig
make CROSS_COMPILE="$triple-" totton_defconfig
# Kconfig leaves out without a word what it does not know, or what something else rules out.
grep '^CONFIG_\|^# CONFIG_.* is not set$' "$configuration" | while read -r line; do
    name=$(echo "$line" | sed 's/^# //; s/[ =].*//')
    case $line in
        '#'*) ! grep "^$name=" .config ;;
        *) grep -qxF "$line" .config ;;
    esac || {
        echo "build-swupdate: $configuration has \`$line\`, which is not so in the end" >&2
        exit 1
    }
done
make CROSS_COMPILE="$triple-" -j"$(nproc)" swupdate tools/swupdate-client
"$triple-strip" -o "$into/swupdate" swupdate
"$triple-strip" -o "$into/swupdate-client" tools/swupdate-client
"$triple-strip" -o "$into/libswupdate.so.0.1" libswupdate.so.0.1

setting() { sed -n "s/^$1=\"\(.*\)\"\$/\1/p" .config; }
cp ../debian/swupdate.sh "$into"
chmod 0755 "$into/swupdate.sh"
# The sockets' folder is systemd's, and stays when the service ends.
sed '/^RuntimeDirectory/d' ../debian/swupdate.service > "$into/swupdate.service"
sed -e "s,=/.*/sockinstctrl\$,=$(setting CONFIG_SOCKET_CTRL_PATH)," \
    -e "s,=/.*/swupdateprog\$,=$(setting CONFIG_SOCKET_PROGRESS_PATH)," ../debian/swupdate.socket > "$into/swupdate.socket"
