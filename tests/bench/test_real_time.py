"""The audio threads on real ALSA: while sound flows they ask for no memory, and the kernel for little.

`counted_calls.c` is laid under the daemon (LD_PRELOAD) and counts by thread. The test of the same name in
Rust counts Rust's allocator on doubles of the devices; here is what alsa-lib and the kernel's cards make of it.
"""

import shutil
import struct
import subprocess
from pathlib import Path

import pytest
import signals
from eventually import eventually

pytestmark = pytest.mark.lg_feature("loopback")

HERE = Path(__file__).parent
# Where the daemon's sandbox lets a library be: on the root file system, which is read-only.
LIBRARY = "/usr/lib/counted-calls.so"
DROP_IN = "/run/systemd/system/gpu-upsampler.service.d"
COUNTS = "/run/totton-audio/counted-calls"
FOLDER = "/var/tmp/real-time"
KINDS = ("malloc", "free", "ioctl", "poll", "read", "write", "syscall", "sleep")
LINE = struct.Struct(f"<i20s{len(KINDS)}Q")
AUDIO = ("capture", "engine", "playback")
SECONDS = 5


@pytest.fixture
def counted(device, api, services_restored, tmp_path):
    """The daemon with the counters under it."""
    compiler = shutil.which("aarch64-linux-gnu-gcc")
    assert compiler, "aarch64-linux-gnu-gcc is missing; the builder has it (images/qemu/enter)"
    built = tmp_path / "counted-calls.so"
    flags = ["-O2", "-shared", "-fPIC", "-Wall", "-Werror", f'-DCOUNTS_FILE="{COUNTS}"']
    subprocess.run([compiler, *flags, "-o", built, HERE / "counted_calls.c"], check=True)
    with device.root_writable():
        device.put(built, LIBRARY)
    device.run(
        f"mkdir -p {DROP_IN} && printf '[Service]\\nEnvironment=LD_PRELOAD={LIBRARY}\\n' > {DROP_IN}/counted.conf"
        " && systemctl daemon-reload && systemctl restart gpu-upsampler",
        timeout=180,
    )
    eventually("the stream runs", api.streaming, deadline=120)
    yield
    device.run(f"rm -r {DROP_IN} && systemctl daemon-reload && systemctl restart gpu-upsampler", timeout=180)
    # Nobody has it open any more, which would keep the file system writable.
    with device.root_writable():
        device.run(f"rm -f {LIBRARY} {COUNTS}")
    eventually("the stream runs as before", api.streaming, deadline=120)


def look(device, here):
    """What each thread has asked for so far, by its name; and the device's uptime."""
    pid = device.show("gpu-upsampler", "MainPID")["MainPID"]
    device.run(f"cp {COUNTS} /tmp/counts; cd /proc/{pid}/task && for t in *; do echo $t $(cat $t/comm); done > /tmp/names")
    names = dict(line.split(" ", 1) for line in device.run("cat /tmp/names; rm /tmp/names").splitlines())
    device.get("/tmp/counts", here)
    uptime = device.uptime()
    device.run("rm /tmp/counts")
    found = {}
    for thread, _, *counts in LINE.iter_unpack(here.read_bytes()):
        if str(thread) in names:
            found[names[str(thread)]] = dict(zip(KINDS, counts))
    return found, uptime


def frames_after(api, before):
    return api.status()["counters"]["input_frames"] - before


def calls_while_sound_flows(device, api, tmp_path):
    """What each thread asks for meanwhile, and for how many seconds."""
    rate = api.status()["input"]["rate"]
    signals.write_s32(tmp_path / "in.wav", rate, signals.tone(rate, 60.0, 997.0, -6.0))
    device.run(f"mkdir -p {FOLDER}")
    device.put(tmp_path / "in.wav", f"{FOLDER}/in.wav")
    device.run(f"(cd {FOLDER} && aplay -q -D hw:Input,0 in.wav) > /dev/null 2>&1 < /dev/null & sleep 0.1")
    before = api.status()["counters"]["input_frames"]
    eventually("two seconds of sound", lambda: frames_after(api, before) > 2 * rate, deadline=120)
    first, began = look(device, tmp_path / "first")
    device.run(f"sleep {SECONDS}")
    second, ended = look(device, tmp_path / "second")
    status = api.status()
    device.run(f"pkill -x aplay; rm -r {FOLDER}")
    assert status["state"] == "streaming", status["message"]
    calls = {name: {kind: second[name][kind] - first[name][kind] for kind in KINDS} for name in (*AUDIO, "telemetry")}
    return calls, ended - began


def holds(found, seconds, record_property):
    """Asserts that no audio thread asked for memory, and that the counters see what it does."""
    for name in AUDIO:
        calls = found[name]
        each = {kind: round(count / seconds, 1) for kind, count in calls.items() if count}
        print(f"{name}: {each} a second")
        record_property(f"calls of the thread {name} a second", each)
        assert calls["malloc"] == 0 and calls["free"] == 0, f"{name}: {calls}"
        # It does work, and the counters see it.
        assert name == "engine" or calls["ioctl"] + calls["poll"] > 10, f"{name}: {calls}"
    # Of the others some do: the counters count.
    assert found["telemetry"]["malloc"] > 0


def test_audio_threads_ask_for_no_memory_while_sound_flows(device, api, counted, tmp_path, record_property):
    holds(*calls_while_sound_flows(device, api, tmp_path), record_property)


@pytest.mark.on_time
def test_resampler_asks_for_no_memory_and_loses_nothing(device, api, counted, tmp_path, record_property):
    fragment = "/etc/totton-audio/upsampler.d/60-resampler.toml"
    before = api.status()["counters"]
    device.run(f"printf '[capture]\\ndrift = \"resample\"\\n' > {fragment} && systemctl reload gpu-upsampler")
    try:
        eventually("the stream is opened anew", lambda: api.status()["counters"]["stream_starts"] > before["stream_starts"])
        eventually("the stream runs", api.streaming, deadline=120)
        found = calls_while_sound_flows(device, api, tmp_path)
        after = api.status()
        holds(*found, record_property)
        drift = api.telemetry()["drift"]
        assert drift["method"] == "resampler", drift
        record_property("correction by the resampler (ppm)", drift["correction_ppm"])
        for counter in ("capture_xruns", "playback_xruns"):
            assert after["counters"][counter] == before[counter], after["counters"]
    finally:
        device.run(f"rm {fragment} && systemctl reload gpu-upsampler")
        eventually("the stream runs as before", api.streaming, deadline=120)


def processor_time(device):
    """What the daemon's threads have computed so far, in seconds, and the device's uptime."""
    pid = device.show("gpu-upsampler", "MainPID")["MainPID"]
    ran = device.run(f"cat /proc/{pid}/task/*/schedstat").splitlines()
    return sum(int(line.split()[0]) for line in ran) / 1e9, device.uptime()


def part_of_a_processor(device):
    """What the daemon takes of one processor over the next seconds."""
    before, began = processor_time(device)
    device.run(f"sleep {SECONDS}")
    after, ended = processor_time(device)
    return (after - before) / (ended - began)


def test_silence_costs_a_fraction_of_sound(device, api, services_restored, tmp_path, record_property):
    rate = api.streaming()["input"]["rate"]
    silent = part_of_a_processor(device)
    # Loud to its end.
    signals.write_s32(tmp_path / "in.wav", rate, signals.tone(rate, 60.0, 997.0, -6.0))
    device.run(f"mkdir -p {FOLDER}")
    device.put(tmp_path / "in.wav", f"{FOLDER}/in.wav")
    before = api.status()["counters"]["input_frames"]
    device.run(f"(cd {FOLDER} && aplay -q -D hw:Input,0 in.wav) > /dev/null 2>&1 < /dev/null & sleep 0.1")
    eventually("two seconds of sound", lambda: frames_after(api, before) > 2 * rate, deadline=120)
    loud = part_of_a_processor(device)
    assert frames_after(api, before) > 2 * rate + SECONDS * rate / 2, "the sound has ended"
    device.run(f"pkill -x aplay; rm -r {FOLDER}")
    record_property("part of a processor: silence, sound", (round(silent, 4), round(loud, 4)))
    print(f"silence {silent:.1%}, sound {loud:.1%} of a processor")
    # Without the engine's look for silence both are the same.
    assert silent < loud / 2
