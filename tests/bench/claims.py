"""Two pairs of machines, one list of test files: each file is for the one that claims it.

The second pair, which joins late, takes the longest files first, so that neither is left with one
at the end, and then from the end. A claim is a file in the folder that
`TOTTON_CLAIMS` names: who makes it has it.
"""

import os
from pathlib import Path

import pytest

# More than four minutes on a quiet machine of two processors.
LONGEST = ("test_views.py", "test_slots.py")


class Claims:
    """The plug-in of one of the two."""

    def __init__(self, folder, backwards):
        self.folder, self.backwards = Path(folder), backwards
        self.ours = {}

    def pytest_collection_modifyitems(self, items):
        if self.backwards:
            files = list(dict.fromkeys(item.path for item in items))
            items.sort(key=lambda item: (item.path.name not in LONGEST, -files.index(item.path)))

    def has(self, file):
        if file not in self.ours:
            try:
                # By the path of the file, which has no slash then.
                (self.folder / str(file).replace("/", "-")).touch(exist_ok=False)
                self.ours[file] = True
            except FileExistsError:
                self.ours[file] = False
        return self.ours[file]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item):
        # True: nothing is left to be done for it here.
        return None if self.has(item.path) else True


def register(config):
    folder = os.environ.get("TOTTON_CLAIMS")
    if folder:
        config.pluginmanager.register(Claims(folder, os.environ.get("TOTTON_CLAIMS_FROM") != "bench"), "claims")
