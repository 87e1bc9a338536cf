#!/bin/sh
# A hook of mmdebstrap: unpacks Debian's kernel into ROOT without installing it,
# for its installation would make an initramfs under emulation, which takes
# minutes; the bench makes its own (bench/initramfs.py).
#   unpack-kernel.sh META_PACKAGE ROOT
set -eu

meta=$1
root=$2
# apt outside of ROOT, working on its lists.
export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

package=$(apt-cache depends --important "$meta" | sed -n 's/^ *Depends: \(linux-image-[0-9][^: ]*\).*/\1/p' | head -n 1)
[ -n "$package" ] || { echo "unpack-kernel: $meta depends on no kernel image" >&2; exit 1; }
cd "$work"
apt-get download "$package:${meta##*-}"
for file in ./*.deb; do
    # Hardware that no QEMU machine has: half of the size. (drivers/media/mc stays:
    # snd-usb-audio needs it; of drivers/scsi what a USB stick needs.)
    dpkg-deb --fsys-tarfile "$file" | tar -x -C "$root" --keep-directory-symlink \
        --exclude='*/kernel/drivers/gpu' --exclude='*/kernel/drivers/media/[!m]*' \
        --exclude='*/kernel/drivers/infiniband' --exclude='*/kernel/drivers/net/ethernet' \
        --exclude='*/kernel/drivers/net/wireless' --exclude='*/kernel/drivers/staging' \
        --exclude='*/kernel/drivers/scsi/[!s]*' --exclude='*/kernel/drivers/iio' \
        --exclude='./usr/share/doc'
done
for modules in "$root"/usr/lib/modules/*; do
    depmod -b "$root" "$(basename "$modules")"
done
