"""Update bundles as the build makes them: sw-description filled in and hashed, signed, put together.

What meta-swupdate's class does with the files of totton-update, without BitBake.
"""

import hashlib
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[1]
SWUPDATE = ROOT / "meta-totton/dynamic-layers/swupdate"
FILES = SWUPDATE / "recipes-core/images/totton-update"
PSS = ("-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:-2")


def run(*command, **more):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, **more)


def description(machine, variables, folder):
    """The machine's sw-description with its variables, and the hashes of the files in `folder`."""
    text = (FILES / machine / "sw-description").read_text()
    text = re.sub(r"@@(\w+)@@", lambda found: variables[found[1]], text)

    def digest(found):
        with open(folder / found[1], "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    return re.sub(r"\$swupdate_get_sha256\(([^)]+)\)", digest, text)


def key_pair(folder, name):
    """NAME.pem and NAME.pub, made by the arguments that totton_update_key.bbclass has."""
    text = (ROOT / "meta-totton/classes-recipe/totton_update_key.bbclass").read_text()
    words = re.search(r'\["openssl", "genpkey",(.*?)"-out"', text, re.DOTALL)[1]
    run("openssl", "genpkey", *re.findall(r'"([^"]+)"', words), "-out", folder / f"{name}.pem")
    run("openssl", "pkey", "-in", folder / f"{name}.pem", "-pubout", "-out", folder / f"{name}.pub")


def sign(folder, key):
    run("openssl", "dgst", "-sha256", "-sign", key, *PSS, "-out", folder / "sw-description.sig", folder / "sw-description")


def pack(folder, names, into):
    """The bundle of the files `names`, in this order; sw-description has to be the first."""
    listed = "".join(f"{name}\n" for name in names).encode()
    with open(into, "wb") as file:
        subprocess.run(
            ["cpio", "--quiet", "-o", "-H", "crc", "--reproducible"], cwd=folder, input=listed, stdout=file, check=True,
        )
    return into
