"""What the host must have, said exactly where it is missing.

Runs on the host's Python: 3.9, no packages.
"""

import os
import shutil
import subprocess
from pathlib import Path

from . import cache

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
BINFMT = Path("/proc/sys/fs/binfmt_misc")
TARGET_MACHINE = "aarch64"


def is_root():
    return os.geteuid() == 0


def namespaces():
    """The command that gives what follows it namespaces of its own.

    Root needs no user namespace; an ordinary user becomes root in one, with the
    further user ids that /etc/subuid grants.
    """
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
    if not is_root():
        command += ["--user", "--map-root-user", "--map-auto"]
    return [*command, "--"]


def remove_tree(path):
    """Removes a root file system: an ordinary user's has files of further user ids."""
    subprocess.run([*namespaces(), "rm", "-rf", str(path)], check=True)


def check():
    """Raises StepFailed with all that is missing and the command that mends it."""
    missing = []
    wanted = []
    if not shutil.which("mmdebstrap"):
        wanted.append("mmdebstrap")
    if not os.path.exists(KEYRING):
        wanted.append("debian-archive-keyring")
    if not is_root() and not shutil.which("newuidmap"):
        wanted.append("uidmap")
    if wanted:
        missing.append(f"install: sudo apt-get install {' '.join(wanted)}")
    if not is_root() and shutil.which("newuidmap"):
        tried = subprocess.run([*namespaces(), "true"], capture_output=True, text=True, check=False)
        if tried.returncode != 0:
            missing.append(
                f"an ordinary user cannot make a user namespace here ({tried.stderr.strip()});\n"
                "    run this as root, or allow it: util-linux 2.38 or newer, an entry for you in\n"
                "    /etc/subuid and /etc/subgid, and where the kernel restricts it\n"
                "    sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0"
            )
    if missing:
        raise cache.StepFailed("this machine lacks:\n  - " + "\n  - ".join(missing))


def check_binfmt(root):
    """Makes sure that arm64 programs can run where the device's image is made.

    Registered already, or of that architecture: nothing to do.  An ordinary user
    with Linux 6.7 or newer registers in the own namespace (builder/inside.sh).
    Root registers here, for the whole machine, as Debian's qemu-user does; flag F
    keeps the interpreter open, so it works in every namespace.
    """
    if os.uname().machine == TARGET_MACHINE or not is_root():
        return
    # In a mount namespace of its own: no mount is left behind.
    script = (
        f"mountpoint -q {BINFMT} || mount -t binfmt_misc binfmt_misc {BINFMT} && "
        'exec sh "$1" "$2" "$3"'
    )
    register = cache.HERE / "builder" / "register-arm64.sh"
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", str(register), str(BINFMT), str(root)],
        capture_output=True, text=True, check=False,
    )
    if done.returncode != 0:
        raise cache.StepFailed(
            "arm64 programs cannot run on this machine, and registering QEMU for them failed "
            f"({done.stderr.strip()}); try: modprobe binfmt_misc"
        )
