#!/bin/sh
# Called by SWUpdate before and after an update is written: slot.sh preinst|postinst SLOT
set -eu

case $1 in
    preinst)
        # The slot that SWUpdate was started for may have become the running one.
        other=$(totton-audio-slot other)
        [ "$2" = "$other" ] || {
            echo "this update was to be written into slot $2, but slot $other is the one that does not run" >&2
            exit 1
        }
        ;;
    postinst) totton-audio-slot try "$2" ;;
esac
