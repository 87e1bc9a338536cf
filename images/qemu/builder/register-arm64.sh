#!/bin/sh
# Registers the builder's QEMU for arm64 programs, unless one is registered that
# works in every root file system (flag F: the kernel keeps the interpreter open).
#   register-arm64.sh BINFMT_MISC BUILDER_ROOT
set -eu

binfmt=$1
root=$2
for entry in "$binfmt/qemu-aarch64" "$binfmt/totton-aarch64"; do
    if [ -e "$entry" ] && grep -q '^flags:.*F' "$entry"; then
        exit 0
    fi
done
[ ! -e "$binfmt/totton-aarch64" ] || echo -1 > "$binfmt/totton-aarch64"
# The head of an ELF file for AArch64, as in Debian's qemu-user.
magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
printf '%s' ":totton-aarch64:M::$magic:$mask:$root/usr/bin/qemu-aarch64:F" > "$binfmt/register"
