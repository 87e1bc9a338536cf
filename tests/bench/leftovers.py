"""What a test may not leave to the next: settings, documents of the page, files, failed units."""

import json
import shlex

from eventually import eventually

ORIGIN = "http://totton-audio.local"
BACKUP = f"{ORIGIN}/api/v1/backup"
# A start's own check fails five minutes after it when tests have restarted services meanwhile: it begins
# anew, and test_health.py and test_update.py ask what it says.
FILES = """
systemctl is-failed --quiet totton-audio-health && systemctl restart totton-audio-health
cd /opt/totton_audio/data && ls -d filters/*
ls -d /etc/totton-audio/upsampler.d/* /etc/systemd/system/* /run/systemd/system/*
systemctl list-units --failed --plain --no-legend | cut -d' ' -f1
true"""


class Leftovers:
    """Looks at the box after a test, and puts right what can be."""

    def __init__(self, device, pc):
        self._device, self._pc = device, pc
        self._found = None

    def files(self):
        """Files that change how the box is, and failed units."""
        return set(self._device.run(f"({FILES}) 2> /dev/null").split())

    def look(self):
        """Notes, once, what is set on a box on which nobody has set anything: a backup has all of it."""
        if self._found is None:
            self._found = eventually("the page gives a backup", self._backup)

    def put_back(self):
        """Sets everything as it was found."""
        now = eventually("the page gives a backup", self._backup)
        left = different(self._found["content"], now["content"])
        if left:
            print(f"put back: {left}")
            document = shlex.quote(json.dumps(self._found))
            put = f"curl -sS -m 60 -X PUT -H 'Origin: {ORIGIN}' -H 'Content-Type: application/octet-stream' --data-binary @- {BACKUP}"
            told = self._pc.run(f"printf %s {document} | {put}", timeout=90)
            now = self._backup()["content"]
            assert now == self._found["content"], f"{different(self._found['content'], now)}: {told}"

    def _backup(self):
        body, code = self._pc.run(f"curl -sS -m 20 -w '\\n%{{http_code}}' {BACKUP}; true", timeout=60).rsplit("\n", 1)
        assert code == "200", f"HTTP {code}: {body}"
        return json.loads(body)


def different(before, after):
    """The paths at which two JSON documents differ, with both values."""
    if isinstance(before, dict) and isinstance(after, dict):
        keys = sorted(before.keys() | after.keys())
        return [f"{key}{rest}" for key in keys for rest in different(before.get(key), after.get(key))]
    return [] if before == after else [f": {json.dumps(before)} → {json.dumps(after)}"]
