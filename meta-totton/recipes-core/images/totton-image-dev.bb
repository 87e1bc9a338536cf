SUMMARY = "The appliance with a way in: SSH by key, debugger, tracer, profiler"
DESCRIPTION = "What tests/run --target hardware needs on a board. No password here either: only the keys of TOTTON_SSH_KEYS get in."
LICENSE = "MIT"

require totton-image.inc

IMAGE_FEATURES += "ssh-server-openssh"

# With what the tests run on the device and busybox has not, or not with the options wanted.
IMAGE_INSTALL += "\
    alsa-utils \
    bash \
    coreutils \
    gdb \
    iproute2-ss \
    perf \
    perl \
    procps \
    strace \
    systemd-analyze \
    usbutils \
    util-linux-chrt \
    util-linux-script \
"

# A file of public keys, one a line as in authorized_keys.
TOTTON_SSH_KEYS ?= ""

authorize_keys() {
    if [ -z "${TOTTON_SSH_KEYS}" ]; then
        bbwarn "TOTTON_SSH_KEYS names no file of public keys: nobody can log in to this image"
        return
    fi
    [ -r "${TOTTON_SSH_KEYS}" ] || bbfatal "TOTTON_SSH_KEYS: ${TOTTON_SSH_KEYS} cannot be read; name a file of public keys, such as the .pub of your own"
    install -d -m 0700 ${IMAGE_ROOTFS}${ROOT_HOME}/.ssh
    install -m 0600 "${TOTTON_SSH_KEYS}" ${IMAGE_ROOTFS}${ROOT_HOME}/.ssh/authorized_keys
}
authorize_keys[doc] = "Lets the keys of the file TOTTON_SSH_KEYS log in as root"
ROOTFS_POSTPROCESS_COMMAND += "authorize_keys"
do_rootfs[file-checksums] += "${@d.getVar('TOTTON_SSH_KEYS') + ':True' if d.getVar('TOTTON_SSH_KEYS') else ''}"

# A command given to ssh finds our programs, as a login shell does.
ssh_path() {
    install -d ${IMAGE_ROOTFS}${sysconfdir}/ssh/sshd_config.d
    echo "SetEnv PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" > ${IMAGE_ROOTFS}${sysconfdir}/ssh/sshd_config.d/path.conf
}
ssh_path[doc] = "Has sshd give commands the path of a login shell"

# Tests pull the USB cable: they come in by the board's Ethernet, which the product leaves alone.
wired_network() {
    printf '[Match]\nType=ether\n\n[Network]\nDHCP=yes\n' > ${IMAGE_ROOTFS}${systemd_unitdir}/network/80-wired.network
}
wired_network[doc] = "Has Ethernet ports ask for an address"
ROOTFS_POSTPROCESS_COMMAND += "ssh_path wired_network"
