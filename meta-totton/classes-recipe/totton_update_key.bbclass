# The key that signs updates, TOTTON_UPDATE_KEY: yours, or a development key that is made
# here on first use. A recipe that reads it, or derives the public key, inherits this and
# calls totton_update_key(d).

TOTTON_UPDATE_KEY ?= "${TOPDIR}/keys/update-development.pem"
TOTTON_RELEASE ?= "0"

DEPENDS += "openssl-native"

def totton_update_key(d):
    """The path of the private key; makes a development key where that is wanted."""
    import subprocess

    key = d.getVar("TOTTON_UPDATE_KEY")
    development = d.expand("${TOPDIR}/keys/update-development.pem")
    if bb.utils.to_boolean(d.getVar("TOTTON_RELEASE")):
        if not key or os.path.realpath(key) == os.path.realpath(development):
            bb.fatal("A release is signed with your own key: set TOTTON_UPDATE_KEY to the path of a "
                     "private key (docs/updates.md tells how to make one)")
        if not os.path.exists(key):
            bb.fatal("TOTTON_UPDATE_KEY: there is no file %s" % key)
        return key
    if key != development:
        if not os.path.exists(key):
            bb.fatal("TOTTON_UPDATE_KEY: there is no file %s" % key)
        return key
    lock = bb.utils.lockfile(key + ".lock")
    try:
        if not os.path.exists(key):
            bb.note("making a development key for updates: %s" % key)
            subprocess.run(
                ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072", "-out", key + ".new"],
                check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, umask=0o077,
            )
            os.rename(key + ".new", key)
    finally:
        bb.utils.unlockfile(lock)
    return key
