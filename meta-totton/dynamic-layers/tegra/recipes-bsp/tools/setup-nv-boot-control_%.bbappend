# What is wanted of it are the firmware's variables TegraPlatformSpec and
# TegraPlatformCompatSpec, by which a capsule's parts are chosen. Its mount of the ESP would
# take any disk's, and writable: ours is put in by totton-audio-disk, a generator.
do_install:append:totton() {
    rm ${D}${systemd_system_unitdir}/${ESPMOUNTUNIT}
}

pkg_postinst:${PN}:totton() {
    :
}
