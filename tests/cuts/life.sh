#!/bin/busybox sh
# What the first process of a tiny guest begins with; it has $disk, $program and $options (of the ESP's mount).
# shellcheck disable=SC2034,SC2154 # the scripts that begin with this have them
/bin/busybox mkdir -p /proc /sys /dev /new
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sysfs /sys
for module in /modules/*.ko; do insmod "$module"; done

# Each phase has a name, and the slots that may start after a power cut in it ("-": not looked at). It is
# found in the log of writes by a discard in a partition of its own, which is no flush.
phase() {
    number=$((number + 1))
    echo "phase $disk $number $1 $2"
    blkdiscard -o $((number * 512)) -l 512 "${disk}4"
}

number_of() { [ "$1" = a ] && echo 2 || echo 3; }
other_than() { [ "$1" = a ] && echo b || echo a; }

off() {
    for folder in boot/efi run sys proc dev lib64 lib bin ""; do umount "/new/$folder" 2> /dev/null; done
}

# The slot's root file system, with what its system mounts first.
root() {
    off
    running=$1
    mount -t ext4 -o ro "$disk$(number_of "$1")" /new
    for folder in bin lib lib64 dev; do mount --bind "/$folder" "/new/$folder"; done
    mount -t proc proc /new/proc
    mount -t sysfs sysfs /new/sys
    mount -t tmpfs tmpfs /new/run
}

on() {
    root "$1"
    mount -t vfat -o "$options" "${disk}1" /new/boot/efi
}

# All that was written is on the disk.
flush() { dd if=/dev/zero of="${disk}4" bs=512 count=1 conv=fsync,notrunc 2> /dev/null; }

slot() { chroot /new "$program" "$@" || echo "FAULT: $disk: $program $*: exit status $?"; }

