# What of NVIDIA's A/B layouts is ours; the rest stays NVIDIA's.
#
# - UDA, 400 MB there, is the product's data partition.
# - No kernel partitions: the launcher starts their kernel where it cannot read a slot's own.
#   They are written once, when a board is flashed, so it would be an old kernel with a new root
#   file system. Without them such a start fails, is counted, and the other slot is next.
# - The recovery partition holds a small program (totton-audio-way-out) that lets a slot start
#   again; without recovery-dtb, since the launcher trusts what it did not find in an empty one.

do_compile:append:totton() {
    local layout partition twice found=0

    # LAYOUT NAME
    drop_partition() {
        grep -q "<partition name=\"$2\"" $1 || bbfatal "$1: no partition $2 to leave out"
        sed -i "/<partition name=\"$2\"/,/<\/partition>/d" $1
        ! grep -q "<partition name=\"$2\"" $1 || bbfatal "$1: partition $2 could not be left out"
    }

    # LAYOUT NAME ELEMENT VALUE: the element has to be there.
    set_in_partition() {
        sed -i "/<partition name=\"$2\"/,/<\/partition>/ s|<$3>[^<]*</$3>|<$3> $4 </$3>|" $1
        [ "$(sed -n "/<partition name=\"$2\"/,/<\/partition>/p" $1 | grep -c "<$3> $4 </$3>")" = 1 ] || bbfatal "$1: <$3> of partition $2 could not be set"
    }

    # LAYOUT: the partitions' numbers. Sizes are filled in later: any will do.
    numbers() {
        sed -e 's/\(APP\|REC\|LNX\)SIZE/4096/; s/\(EXT\|INT\)_NUM_SECTORS/490733568/' $1 > numbered.xml
        nvflashxmlparse -t rootfs numbered.xml | sed -n 's/.*partnumber=\([0-9]*\);.*/\1/p' | sort
        rm numbered.xml
    }

    # Capsules are made by NVIDIA's layout as it is.
    [ -e bupgen-internal-flash.xml ] || cp internal-flash.xml bupgen-internal-flash.xml
    for layout in internal-flash.xml external-flash.xml; do
        [ -e $layout ] || continue
        grep -q '<partition name="UDA"' $layout || continue
        grep -q '<partition name="APP_b"' $layout || bbfatal "$layout: no partition APP_b; USE_REDUNDANT_FLASH_LAYOUT is not in force"
        set_in_partition $layout UDA size ${TOTTON_DATA_SIZE}
        for partition in A_kernel A_kernel-dtb B_kernel B_kernel-dtb RECDTB-NAME; do
            drop_partition $layout $partition
        done
        # A_kernel was number 3, and what follows is numbered from there; 1 and 2 are APP and
        # APP_b, which come last. sgdisk would write a number that is there twice only once.
        sed -i 's/<partition name="A_reserved_on_user"/& id="3"/' $layout
        [ -n "$(numbers $layout)" ] || bbfatal "$layout: nvflashxmlparse cannot read it"
        twice=$(numbers $layout | uniq -d)
        [ -z "$twice" ] || bbfatal "$layout: two partitions have the number" $twice
        set_in_partition $layout RECNAME filename totton-way-out.img
        found=1
    done
    [ $found = 1 ] || bbfatal "no layout of ${MACHINE} has a partition UDA for the product's data"
}
