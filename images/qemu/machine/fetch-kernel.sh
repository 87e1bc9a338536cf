#!/bin/sh
# Fetches from Debian what modules for one of its kernels are built of:
#   fetch-kernel.sh RELEASE ARCH INTO FOLDER...
# RELEASE as `uname -r` says, ARCH Debian's name, FOLDERs of the kernel's source.
# INTO gets source/ (those folders alone) and the packages to unpack before a build.
set -eu

release=$1
arch=$2
into=$3
shift 3

run_apt() { apt-get -qq -o APT::Sandbox::User=root -o Acquire::Retries=5 -o Acquire::Languages=none "$@"; }

run_apt update
headers=linux-headers-$release
version=$(apt-cache madison "$headers:$arch" | awk -F ' *[|] *' 'NR == 1 { print $2 }')
if [ -z "$version" ]; then
    echo "fetch-kernel: Debian's archive has no $headers for $arch any more: the kernel in the cache is older." >&2
    echo "fetch-kernel: remove base-device in the cache (images/qemu/README.md says where) and start again." >&2
    exit 1
fi
abi=${release%-"$arch"}
series=$(echo "$version" | cut -d. -f1-2)

mkdir "$into/packages"
cd "$into/packages"
run_apt download "$headers:$arch=$version" "linux-headers-$abi-common=$version" "linux-kbuild-$abi=$version" make
cd "$(mktemp -d)"
run_apt download "linux-source-$series=$version"
tree=linux-source-$series
mkdir "$into/source"
for folder; do
    echo "$tree/$folder"
done > folders
dpkg-deb --fsys-tarfile ./*.deb | tar -x --to-stdout "./usr/src/$tree.tar.xz" |
    xz --decompress --threads=0 | tar -x -C "$into/source" --strip-components=1 --files-from="$PWD/folders"
echo "$version" > "$into/version"
