"""The two ends of the cable, as far as sound goes.

`Host` is the computer: its sound card and player. `Box` is the device: the gadget's
capture card. On the virtual bench both run on the device, which is attached to its
own kernel (docs/virtual-cable.md says why); on hardware the host is the PC.
"""

import re

import signals
from eventually import eventually

FOLDER = "/dev/shm/usb-audio"
CARD = "UAC2Gadget"

RECORD = f"""
rate() {{ amixer -c {CARD} cget iface=PCM,name='Capture Rate' 2>> rate.log | sed -n 's/.*: values=//p'; }}
# Twice another one, or none: a single look may fail on a busy machine.
over() {{
    for look in 1 2; do
        now=$(rate)
        [ "$now" != "$wanted" ] || return 1
        echo "$(cut -d' ' -f1 /proc/uptime): $now" >> rate.log
        sleep 0.1
    done
}}
for wanted; do
    until [ "$(rate)" = "$wanted" ]; do sleep 0.05; done
    chrt -f 40 arecord -q -D hw:{CARD},0 -t raw -f S32_LE -c 2 -r "$wanted" "$wanted.raw" 2>> record.log &
    until over; do sleep 0.2; done
    kill -INT $!
    wait $!
done
touch recorded
"""


def in_background(command):
    """The shell command that starts `command` and waits for nothing of it."""
    return f"({command}) > /dev/null 2>&1 < /dev/null & sleep 0.1"


class Host:
    """The computer: its sound card "Totton Audio", its player, the cable's plug."""

    def __init__(self, machine, plug, unplug):
        self.machine, self._plug, self._unplug = machine, plug, unplug

    def plug(self):
        self.machine.run(self._plug, timeout=180)
        eventually("the computer's sound card", self.has_card)

    def unplug(self):
        self.machine.run(self._unplug, timeout=180)

    def card(self):
        """The card's number, or an AssertionError."""
        out = self.machine.run("cat /proc/asound/cards")
        found = re.search(r"^ *(\d+) \[.*USB-Audio - Totton", out, re.MULTILINE)
        assert found, f"no sound card Totton Audio: {out}"
        return int(found.group(1))

    def has_card(self):
        return self.card() >= 0

    def put(self, here, rate, frames):
        """Lays integer frames down as the file `here`.name at the host."""
        signals.write_s32(here, rate, frames / signals.FULL_SCALE)
        self.machine.run(f"mkdir -p {FOLDER}")
        self.machine.put(here, f"{FOLDER}/{here.name}")
        return here.name

    def _player(self, files):
        # Each file opened anew, as players do: a rate is chosen when the card is opened.
        each = (f"aplay -q -D hw:{self.card()},0 --buffer-time=400000 {file} 2>> play.log" for file in files)
        return f"cd {FOLDER} && rm -f play.log && {' && '.join(each)}"

    def play(self, *files, timeout=300):
        """Plays files one after the other; an underrun, or any other complaint, fails."""
        self.machine.run(self._player(files), timeout=timeout)
        assert self.complaints() == ""

    def start_playing(self, *files):
        """Plays in the background."""
        self.machine.run(in_background(self._player(files)))

    def start_playing_with_keys(self, file):
        """Plays in the background a file that press(" ") pauses and resumes."""
        player = f"aplay -q -D hw:{self.card()},0 --buffer-time=400000 --interactive {file} 2> play.log"
        # aplay reads keys from a terminal only: script(1) is one.
        self.machine.run(f"cd {FOLDER} && rm -f keys && mkfifo keys")
        self.machine.run(in_background(f"cd {FOLDER} && script -q -f -c '{player}' /dev/null <> keys"))

    def press(self, key):
        self.machine.run(f"printf '{key}' > {FOLDER}/keys")

    def plays(self):
        return self.machine.attempt("pgrep -x aplay")[0] == 0

    def end_player(self, signal):
        self.machine.run(f"pkill -{signal} -x aplay")
        self.wait_for_player()

    def wait_for_player(self, deadline=120):
        eventually("the player has ended", lambda: not self.plays(), deadline)

    def complaints(self):
        return self.machine.run(f"cat {FOLDER}/play.log").strip()

    def momentary_rate(self):
        """The rate that the feedback makes the driver send at, in Hz."""
        stream = self.machine.run(f"cat /proc/asound/card{self.card()}/stream0")
        found = re.search(r"Momentary freq = (\d+) Hz", stream)
        assert found, f"the card does not play: {stream}"
        return int(found.group(1))

    def clean(self):
        self.machine.attempt(f"pkill -x aplay; rm -rf {FOLDER}")


class Box:
    """The device's end: the gadget's capture card."""

    def __init__(self, device):
        self.device = device

    def control(self, name):
        out = self.device.run(f"amixer -c {CARD} cget iface=PCM,name='{name}'")
        return int(re.search(r": values=(-?\d+)", out).group(1))

    def set_control(self, name, value):
        self.device.run(f"amixer -q -c {CARD} cset iface=PCM,name='{name}' {value}")

    def capture_rate(self):
        """The rate of the computer's stream in Hz, 0 while there is none."""
        return self.control("Capture Rate")

    def start_recording(self, *rates):
        """Records one stream after the other, each as long as its rate lasts, into RATE.raw."""
        self.device.run(
            f"mkdir -p {FOLDER} && cd {FOLDER} && rm -f record.log rate.log recorded && touch rate.log && cat > record.sh <<'EOF'\n{RECORD}\nEOF\n"
            f"setsid sh record.sh {' '.join(map(str, rates))} > /dev/null 2>&1 < /dev/null & sleep 0.1"
        )

    def recorded(self, rate, tmp_path):
        """The frames recorded at `rate`, as integers; an overrun fails."""
        eventually("the recorder has ended", lambda: self.device.attempt(f"test -e {FOLDER}/recorded")[0] == 0)
        said = self.device.run(f"cat {FOLDER}/record.log")
        print("looks at which the rate was another:", self.device.run(f"cat {FOLDER}/rate.log"))
        # Its end by a signal it tells, too.
        said = re.sub(r"Aborted by signal Interrupt\.\.\.|arecord: pcm_read.*", "", said).strip()
        assert said == "", f"the recorder complains: {said}"
        self.device.get(f"{FOLDER}/{rate}.raw", tmp_path / f"{rate}.raw")
        return signals.read_raw_s32(tmp_path / f"{rate}.raw")

    def clean(self):
        self.device.attempt(f"pkill -f '[r]ecord.sh'; pkill -x arecord; rm -rf {FOLDER}")
