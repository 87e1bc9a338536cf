#!/bin/sh
# Called by SWUpdate when everything is there, and when everything is written:
# slot.sh preinst|postinst SLOT. The root file system is written by then:
# what comes before that is /usr/lib/totton-audio/update-begins.
set -eu

case $1 in
    preinst)
        # The slot that was made ready is the one that SWUpdate was started for.
        other=$(totton-audio-slot other)
        [ "$2" = "$other" ] || {
            echo "this update was to be written into slot $2, but slot $other is the one that does not run" >&2
            exit 1
        }
        ;;
    postinst) totton-audio-slot try "$2" ;;
esac
