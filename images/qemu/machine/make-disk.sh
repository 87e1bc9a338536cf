#!/bin/sh
# Lays a payload over a base and writes the result as an ext4 image.  Runs in a
# mount namespace of its own.
#   make-disk.sh MACHINE BASE_ROOT PAYLOAD IMAGE SIZE DATE
# DATE: of what is built here, in seconds since 1970.
set -eu

machine=$1
base=$2
payload=$3
image=$4
size=$5
date=$6

# The base stays untouched below an overlay.
work=$(mktemp -d)
trap 'umount "$work/root" "$work" 2>/dev/null || true; rmdir "$work"' EXIT
mount -t tmpfs disk "$work"
mkdir "$work/upper" "$work/work" "$work/root"
root=$work/root
mount -t overlay -o "lowerdir=$base,upperdir=$work/upper,workdir=$work/work" disk "$root"

# A file's mode counts as far as it is executable; owner and group write
# permission are the checkout's own.
tar -C "$payload" --owner=0 --group=0 --mode=u+rw,go+rX,go-w -c . | tar -C "$root" -x --no-same-owner

# Modules of our own go before the kernel's (depmod.d(5): updates/ first).
for modules in "$payload"/usr/lib/modules/*; do
    [ ! -d "$modules" ] || depmod -b "$root" "$(basename "$modules")"
done

case $machine in
    device) name=totton-audio ;;
    *) name=$machine ;;
esac
echo "$name" > "$root/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 %s\n::1 localhost\n' "$name" > "$root/etc/hosts"
echo '/dev/vda / ext4 errors=remount-ro 0 1' > "$root/etc/fstab"
# A machine that knows itself: no first-boot presets at run time.
printf '%s' "totton-$machine" | md5sum | cut -c1-32 > "$root/etc/machine-id"
mkdir -p "$root/var/log/journal"
# The clock never starts before it (systemd looks at the file's time).
touch --date="@$date" "$root/usr/lib/clock-epoch"
chmod 0700 "$root/root" "$root/root/.ssh"
chmod 0600 "$root/root/.ssh/authorized_keys"

systemd-sysusers --root="$root"
# What a package's installation does with the units that it brings: apply presets.
units=
for folder in etc/systemd/system usr/lib/systemd/system; do
    for unit in "$payload/$folder"/*.service "$payload/$folder"/*.socket "$payload/$folder"/*.timer; do
        [ ! -f "$unit" ] || units="$units ${unit##*/}"
    done
done
# shellcheck disable=SC2086 # names of units have no spaces
systemctl --root="$root" preset systemd-networkd.service ssh.service avahi-daemon.service $units
preset=$root/usr/lib/systemd/system-preset/80-totton-audio.preset
if [ -e "$preset" ]; then
    sed -n 's/^disable //p' "$preset" | while read -r unit; do
        [ ! -e "$root/usr/lib/systemd/system/$unit" ] || systemctl --root="$root" disable "$unit"
    done
fi
# The bench's interfaces are there or not as the test wants it.
systemctl --root="$root" mask systemd-networkd-wait-online.service getty@tty1.service

mkfs.ext4 -q -F -L "$machine" -d "$root" -E lazy_itable_init=1,root_owner=0:0 "$image" "$size"
