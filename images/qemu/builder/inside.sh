#!/bin/sh
# Runs as the first process of new mount and process namespaces: lays the
# builder out as the root file system and runs a command there.
#   inside.sh BUILDER COMMAND...
# TOTTON_BINDS: directories seen inside at the same path, one a line.
set -eu

here=$(dirname "$0")
builder=$1
shift
mnt=$builder/mnt
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

mount --make-rprivate /
# What a command writes outside the bound directories is gone afterwards: the
# builder stays as it was made.
mount -t tmpfs -o mode=0755 builder "$mnt"
mkdir "$mnt/upper" "$mnt/work" "$mnt/root"
mount -t overlay -o "lowerdir=$builder/root,upperdir=$mnt/upper,workdir=$mnt/work" builder "$mnt/root"
root=$mnt/root

mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmp "$root/tmp"
mount -t tmpfs -o mode=0755 run "$root/run"
printf '%s\n' "$TOTTON_BINDS" | while read -r folder; do
    mkdir -p "$root$folder"
    mount --rbind "$folder" "$root$folder"
done
for file in /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt; do
    if [ -e "$file" ]; then
        # A copy, for the host's may be a link into a folder not seen inside.
        rm -f "$root$file"
        cp "$file" "$root$file"
    fi
done

# Since Linux 6.7 a user namespace has its own binfmt_misc; root's namespace
# shares the machine's, where bench/host.py has registered what is needed.
binfmt=$root/proc/sys/fs/binfmt_misc
if [ "$(uname -m)" != aarch64 ] && mount -t binfmt_misc binfmt_misc "$binfmt" 2>/dev/null; then
    sh "$here/register-arm64.sh" "$binfmt" "$root" || true
fi

cd "$root"
pivot_root . .
umount -l .
# The working directory of the caller, where it is seen inside.
cd "$TOTTON_CWD" 2>/dev/null || cd /
unset TOTTON_BINDS TOTTON_CWD
# An init, so that signals reach the command and orphans are reaped.
exec tini -- "$@"
