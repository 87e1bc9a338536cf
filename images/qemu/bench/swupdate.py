"""SWUpdate with the product's configuration, from Debian's source of it.

Debian's own program verifies other signatures than ours. Runs in the builder.
"""

from . import builder, cache
from .payload import Layer

CONFIGURATION = cache.REPOSITORY / "meta-totton/dynamic-layers/swupdate/recipes-support/swupdate/files/totton.cfg"
FETCH = cache.HERE / "machine/fetch-swupdate.sh"
BUILD = cache.HERE / "machine/build-swupdate.sh"
STEPS = ("swupdate-source", "swupdate")
# As gcc is called for the device.
TRIPLE = "aarch64-linux-gnu"
# Where Debian and meta-swupdate put each of them.
PATHS = {
    "swupdate": "usr/bin", "swupdate-client": "usr/bin", "libswupdate.so.0.1": f"usr/lib/{TRIPLE}", "swupdate.sh": "usr/lib/swupdate",
    "swupdate.service": "usr/lib/systemd/system", "swupdate.socket": "usr/lib/systemd/system",
}


def built():
    """The folder with SWUpdate's programs and units for the device."""

    def fetch(into):
        cache.run_logged([FETCH, into], "swupdate-source", "fetching the source of SWUpdate")

    def build(into):
        cache.run_logged([BUILD, source, CONFIGURATION, TRIPLE, into], "swupdate", "building SWUpdate")

    source = cache.step("swupdate-source", cache.digest(builder.SUITE, FETCH), "device: the source of SWUpdate", fetch)
    key = cache.digest(source / "list", BUILD, CONFIGURATION, TRIPLE)
    return cache.step("swupdate", key, "device: SWUpdate", build)


def layer():
    folder = built()
    return Layer(files={f"{path}/{name}": folder / name for name, path in PATHS.items()})
