#!/bin/sh
# Builds modules from a patched source of the kernel:
#   build-modules.sh FETCHED RELEASE ARCH PATCHES INTO MODULE...
# FETCHED is what fetch-kernel.sh has fetched, PATCHES a folder of patches, MODULE a
# module's path in the kernel's source without `.ko`; INTO gets the modules.
set -eu

fetched=$1
release=$2
arch=$3
patches=$4
into=$5
shift 5

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
for module; do
    folder=$(dirname "$module")
    # Type information for BPF would take another tool, and nothing here asks for it.
    # The headers of a folder above are not among those that Debian packages.
    make -C "/usr/src/linux-headers-$release" M="$work/$folder" ARCH="$arch" CROSS_COMPILE="$cross" \
        CONFIG_DEBUG_INFO_BTF_MODULES= KCFLAGS="-I$work/$(dirname "$folder")" -j"$(nproc)" "$(basename "$module").ko"
    "${cross}strip" --strip-debug -o "$into/$(basename "$module").ko" "$work/$module.ko"
done
