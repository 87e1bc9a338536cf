"""Reads as much of a recipe as the checks need: variables and shell functions.

BitBake itself is not there when the checks run; what they read from a recipe is
written plainly enough for this.
"""

import re

ASSIGNMENT = re.compile(
    r'^([A-Za-z_][\w:${}+.-]*)(?:\[(\w+)\])?\s*(=|\?=|\?\?=|:=|\+=|=\+|\.=|=\.)\s*"((?:[^"\\]|\\.|\\\n)*)"',
    re.MULTILINE,
)

# Where oe-core's bitbake.conf puts things on a device with usrmerge.
PATHS = {
    "base_sbindir": "/usr/sbin",
    "bindir": "/usr/bin",
    "nonarch_libdir": "/usr/lib",
    "prefix": "/usr",
    "sbindir": "/usr/sbin",
    "sysconfdir": "/etc",
    "systemd_system_unitdir": "/usr/lib/systemd/system",
}


class Recipe:
    def __init__(self, path):
        self.path = path
        self.text = path.read_text()
        self.package = path.name.split("_")[0]
        self.variables = dict(PATHS, PN=self.package)
        for name, flag, operator, value in ASSIGNMENT.findall(self.text):
            value = " ".join(value.replace("\\\n", " ").split())
            name = self.expand(name)
            if flag:
                continue
            if operator in ("+=", ".="):
                value = f"{self.variables.get(name, '')} {value}".strip()
            elif operator in ("=+", "=."):
                value = f"{value} {self.variables.get(name, '')}".strip()
            self.variables[name] = value

    def expand(self, text):
        """`text` with every ${VARIABLE} that is known replaced."""

        def known(match):
            return self.expand(self.variables.get(match[1], match[0])) if match[1] in self.variables else match[0]

        return re.sub(r"\$\{([\w:]+)\}", known, text)

    def get(self, name):
        return self.expand(self.variables.get(name, ""))

    def named(self, prefix):
        """The value of every variable called `prefix`, whatever package it is for."""
        return [self.get(name) for name in self.variables if name.split(":")[0] == prefix]

    def function(self, name):
        """The body of a shell function."""
        found = re.search(rf"^{re.escape(name)}\(\) \{{\n(.*?)^\}}", self.text, re.MULTILINE | re.DOTALL)
        if found is None:
            raise SystemExit(f"{self.path.name}: no function {name}()")
        return found[1]


def only(folder, pattern):
    """The one recipe in `folder` that matches `pattern`."""
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise SystemExit(f"{folder}: expected one {pattern}, found {len(found)}")
    return Recipe(found[0])
