"""The builder: a Debian with every tool, and commands run inside it.

The host needs only mmdebstrap and util-linux.  A command runs in mount and
process namespaces of its own (and, for an ordinary user, a user namespace): when
it ends, or this process dies in whatever way, the kernel ends what it started
and undoes what it mounted.  Runs on the host's Python: 3.9, no packages.
"""

import ctypes
import os
import platform
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from . import cache, host

SUITE = "trixie"
MIRROR = "http://deb.debian.org/debian"
SECURITY_MIRROR = "http://deb.debian.org/debian-security"
TARGET = "arm64"
HOST_ARCH = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
FOLDER = cache.HERE / "builder"
INSIDE = "TOTTON_BUILDER"

# What a build inside takes over from the caller: the way to the network.
PASSED_ON = ("TERM", "COLORTERM", "CI", "GITHUB_ACTIONS")
PASSED_ON_PREFIXES = ("PIP_", "CARGO_REGISTR", "CARGO_NET_", "CARGO_HTTP_", "TOTTON_", "PYTEST_", "LG_")
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
CERTIFICATE_VARIABLES = (
    "CARGO_HTTP_CAINFO", "SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO",
)


def sources(architectures):
    """Lines of sources.list for Debian's stable suite."""
    mirror = os.environ.get("TOTTON_DEBIAN_MIRROR", MIRROR)
    security = os.environ.get("TOTTON_DEBIAN_SECURITY_MIRROR", SECURITY_MIRROR)
    suites = [(mirror, SUITE), (mirror, f"{SUITE}-updates"), (security, f"{SUITE}-security")]
    options = f"[arch={','.join(architectures)} signed-by={host.KEYRING}]"
    return "".join(f"deb {options} {url} {suite} main\n" for url, suite in suites)


def packages(file):
    """The package names of a list: one a line, `#` begins a comment."""
    lines = (line.split("#")[0].strip() for line in file.read_text().splitlines())
    return [line.replace(":target", f":{TARGET}") for line in lines if line]


def _make(folder):
    architectures = list(dict.fromkeys([HOST_ARCH, TARGET]))
    command = [
        *host.namespaces(), "mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory",
        f"--architectures={','.join(architectures)}",
        f"--include={','.join(packages(FOLDER / 'packages'))}",
        '--aptopt=Acquire::Languages "none"', '--aptopt=Acquire::Retries "5"',
        "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/doc/*",
        "--dpkgopt=path-exclude=/usr/share/locale/*",
        SUITE, str(folder / "root"), "-",
    ]
    (folder / "mnt").mkdir()
    log = cache.log_path("builder")
    with open(log, "w", encoding="utf-8") as output:
        made = subprocess.run(
            command, input=sources(architectures), text=True,
            stdout=output, stderr=subprocess.STDOUT, check=False, preexec_fn=_die_with_parent,
        )
    if made.returncode != 0:
        tail = "".join(open(log, encoding="utf-8", errors="replace").readlines()[-15:])
        raise cache.StepFailed(f"the builder could not be made; the end of {log}:\n{tail}")


def ensure():
    """The builder's folder (`root/`, `mnt/`), made when it is missing."""
    found = Path(os.environ.get(INSIDE, "/nonexistent"))
    if found.is_dir():
        return found
    key = cache.digest(HOST_ARCH, SUITE, FOLDER / "packages")
    if not (cache.ROOT / "builder" / key).is_dir():
        host.check()
    return cache.step("builder", key, "builder: Debian with the tools, about 700 MB to fetch", _make, host.remove_tree)


def environment(folder):
    """The variables that a command inside sees; nothing else of the caller's."""
    env = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(cache.ROOT / "home"),
        "LANG": "C.UTF-8",
        "TOTTON_CACHE_DIR": str(cache.ROOT),
        "CARGO_HOME": str(cache.ROOT / "cargo"),
        "CARGO_TARGET_DIR": str(cache.ROOT / "target"),
        "RUSTC_WORKSPACE_WRAPPER": str(FOLDER / "rustc"),
        "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER": "aarch64-linux-gnu-gcc",
        "CC_aarch64_unknown_linux_gnu": "aarch64-linux-gnu-gcc",
        "PKG_CONFIG_ALLOW_CROSS": "1",
        "PKG_CONFIG_LIBDIR_aarch64_unknown_linux_gnu": "/usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        # The checkout may be another user's, as under sudo.
        "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": str(cache.REPOSITORY),
    }
    for name, value in os.environ.items():
        if name in PASSED_ON or name.startswith(PASSED_ON_PREFIXES) or name.lower() in PROXIES:
            env.setdefault(name, value)
    if os.path.exists(CERTIFICATES):
        env.update(dict.fromkeys(CERTIFICATE_VARIABLES, CERTIFICATES))
    env.pop("PIP_FIND_LINKS", None)  # a folder of the host
    env[INSIDE] = str(folder)
    return env


def _die_with_parent():
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def _first_process_inside(unshare_pid):
    children = Path(f"/proc/{unshare_pid}/task/{unshare_pid}/children")
    try:
        return int(children.read_text().split()[0])
    except (OSError, IndexError):
        return None


def run(command, binds=()):
    """Runs `command` in the builder and returns its exit status.

    Repository, cache, working directory and `binds` are seen at the same paths.
    """
    folder = ensure()
    if os.environ.get(INSIDE) == str(folder):
        os.execvp(command[0], command)
    for name in ("home", "cargo", "target", "run"):
        (cache.ROOT / name).mkdir(parents=True, exist_ok=True)
    own_config = Path(os.environ.get("CARGO_HOME") or os.path.expanduser("~/.cargo")) / "config.toml"
    if own_config.is_file():
        shutil.copyfile(own_config, cache.ROOT / "cargo" / "config.toml")

    host.check_binfmt(folder / "root")
    shared = [str(cache.REPOSITORY), str(cache.ROOT), *map(str, binds)]
    # BitBake's deploy folder, which image.py reads.
    device_image = os.environ.get("TOTTON_DEVICE_IMAGE")
    if device_image and Path(device_image).is_dir():
        shared.append(str(Path(device_image).resolve()))
    artefacts = os.environ.get("TOTTON_ARTEFACTS")
    if artefacts:
        Path(artefacts).mkdir(parents=True, exist_ok=True)
        shared.append(str(Path(artefacts).resolve()))
    env = environment(folder)
    env["TOTTON_BINDS"] = "\n".join(shared)
    env["TOTTON_CWD"] = os.getcwd()
    inner = [*host.namespaces(), "sh", str(FOLDER / "inside.sh"), str(folder), *command]
    # The host's own PATH finds unshare and sh; inside.sh sets the builder's.
    child = subprocess.Popen(inner, env=env, preexec_fn=_die_with_parent)

    def pass_on(number, _frame):
        inside = _first_process_inside(child.pid)
        if inside is not None:
            try:
                os.kill(inside, number)
            except ProcessLookupError:
                pass

    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, pass_on)
    status = child.wait()
    return 128 - status if status < 0 else status


def main(arguments):
    """`enter [--bind DIR]... [--] COMMAND...`"""
    binds = []
    while arguments and arguments[0].startswith("-"):
        option = arguments.pop(0)
        if option == "--":
            break
        if option == "--bind" and arguments:
            binds.append(Path(arguments.pop(0)).resolve())
        else:
            print("usage: enter [--bind DIR]... [--] COMMAND...", file=sys.stderr)
            return 2
    try:
        return run(arguments or ["bash"], binds)
    except cache.StepFailed as failure:
        print(f"enter: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
