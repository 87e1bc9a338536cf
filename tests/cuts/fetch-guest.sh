#!/bin/sh
# Fetches from Debian what the tiny guest is made of: fetch-guest.sh ARCH INTO
# INTO gets vmlinuz, the kernel's modules with those that they need first (NUMBER-NAME.ko),
# busybox, and mkfs.fat and fsck.fat for this computer. ARCH is that of this computer, in Debian's words.
set -eu

arch=$1
into=$2
run_apt() { apt-get -qq -o APT::Sandbox::User=root -o Acquire::Retries=5 -o Acquire::Languages=none "$@"; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
run_apt update
kernel=$(apt-cache depends --important "linux-image-cloud-$arch" | sed -n 's/^ *Depends: \(linux-image-[0-9][^: ]*\).*/\1/p' | head -n 1)
[ -n "$kernel" ] || { echo "fetch-guest: linux-image-cloud-$arch depends on no kernel image" >&2; exit 1; }
run_apt download "$kernel" busybox-static dosfstools
for package in ./*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x
done
cp boot/vmlinuz-* "$into/vmlinuz"
cp usr/bin/busybox usr/sbin/mkfs.fat usr/sbin/fsck.fat "$into"
release=${kernel#linux-image-}
depmod -b "$work/usr" -e -F boot/System.map-* "$release" 2> /dev/null || depmod -b "$work/usr" "$release"
modules=usr/lib/modules/$release
number=0
for name in virtio_pci virtio_mmio virtio_blk crc32c_generic ext4 fat vfat nls_cp437 nls_ascii nls_iso8859-1 nls_utf8; do
    path=$(sed -n "s|^\([^:]*/$name\.ko[^:]*\): *\(.*\)|\2 \1|p" "$modules/modules.dep")
    # What it needs, the farthest first; built in, it has no file.
    for file in $path; do
        base=${file##*/}
        base=${base%.xz}
        ! ls "$into"/[0-9][0-9]-"$base" > /dev/null 2>&1 || continue
        number=$((number + 1))
        xz -dc "$modules/$file" > "$into/$(printf '%02d' $number)-$base"
    done
done
echo "$kernel" > "$into/kernel"
