#!/bin/sh
# Builds a folder of the kernel's source, patched, as modules:
#   build-modules.sh FETCHED RELEASE ARCH FOLDER PATCHES INTO
# FETCHED is what fetch-kernel.sh has fetched; INTO gets the modules.
set -eu

fetched=$1
release=$2
arch=$3
folder=$4
patches=$5
into=$6

# Into the builder's root: what is written there ends with this command.
for package in "$fetched"/packages/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x -C / --keep-directory-symlink --no-same-owner
done

work=$(mktemp -d)
cp -r "$fetched/source/." "$work"
cd "$work"
git init --quiet
for patch in "$patches"/*.patch; do
    git apply --whitespace=nowarn "$patch" || {
        echo "build-modules: $patch does not apply to Linux $(cat "$fetched/version")" >&2
        exit 1
    }
done

cross=
if [ "$(dpkg --print-architecture)" != "$arch" ]; then
    case $arch in
        arm64) cross=aarch64-linux-gnu- ;;
        *)
            echo "build-modules: no cross compiler for $arch in the builder" >&2
            exit 1
            ;;
    esac
fi
# Type information for BPF would take another tool, and nothing here asks for it.
make -C "/usr/src/linux-headers-$release" M="$work/$folder" ARCH="$arch" CROSS_COMPILE="$cross" \
    CONFIG_DEBUG_INFO_BTF_MODULES= -j"$(nproc)" modules
for module in "$folder"/*.ko; do
    "${cross}strip" --strip-debug -o "$into/$(basename "$module")" "$module"
done
