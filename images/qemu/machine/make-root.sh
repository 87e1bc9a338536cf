#!/bin/sh
# Lays a payload over a base and writes the result as an ext4 image: the PC's whole disk, the
# device's read-only root file system.  Runs in a mount namespace of its own.
#   make-root.sh MACHINE BASE_ROOT PAYLOAD IMAGE SIZE DATE
# SIZE: of the PC's disk.
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

# The device's kernel is on the ESP, its /var in memory.
[ "$machine" != device ] || find "$root/var" "$root/boot" -mindepth 1 -delete

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
if [ "$machine" = device ]; then
    # Read-only. What openembedded-core's volatile-binds keeps in memory, piece by piece.
    echo 'tmpfs /var tmpfs mode=0755,nodev,nosuid 0 0' > "$root/etc/fstab"
    # The firmware's number is taken (systemd.machine_id=firmware on the kernel's command line).
    : > "$root/etc/machine-id"
    # Debian's systemd would mount the ESP, too.
    mkdir -p "$root/etc/systemd/system-generators"
    ln -s /dev/null "$root/etc/systemd/system-generators/systemd-gpt-auto-generator"
else
    echo '/dev/vda / ext4 errors=remount-ro 0 1' > "$root/etc/fstab"
    # A machine that knows itself: no first-boot presets at run time.
    printf '%s' "totton-$machine" | md5sum | cut -c1-32 > "$root/etc/machine-id"
    mkdir -p "$root/var/log/journal"
fi
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
[ "$machine" != device ] || systemctl --root="$root" disable e2scrub_reap.service e2scrub_all.timer

# The device's is as small as may be, for an update writes each block of it: its files, a small log and
# a little for tests.
more=
if [ "$machine" = device ]; then
    size=$(($(du -sk "$root" | cut -f1) * 105 / 100 + 24576))K
    more="-b 4096 -i 16384 -J size=4"
fi
# shellcheck disable=SC2086 # words or none
mkfs.ext4 -q -F -L "$machine" -d "$root" $more -E lazy_itable_init=1,root_owner=0:0 "$image" "$size"
