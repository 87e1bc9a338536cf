"""`images/qemu/boot`: builds the images, boots both machines, shows the page.

  boot                       the page in your browser; Ctrl-C ends it all
  boot --build-only          everything up to the images
  boot --state-dir DIR       where the machines keep what they write
  boot --port N              where the page is on this computer (8080)
  boot --no-plug             both machines, and the cable not in
  boot -- COMMAND...         both machines, cable not in, while COMMAND runs; it
                             finds them through LG_DEVICE_PORT, LG_PC_PORT (SSH as
                             root on 127.0.0.1), LG_KEY, TOTTON_BENCH (the state
                             directory) and TOTTON_DEPLOYED (what updates of the
                             device are made of)
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import time

from . import cache, image, payload
from .machine import BenchFailed
from .pair import Bench


def _arguments(words):
    parser = argparse.ArgumentParser(prog="images/qemu/boot", description="Builds and boots the device and a PC.")
    parser.add_argument("--build-only", action="store_true", help="stop when the images are there")
    parser.add_argument("--state-dir", default=str(cache.ROOT / "run" / "boot"), metavar="DIR",
                        help="what the machines write, and bench.json (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="the page's port on this computer (default: %(default)s)")
    parser.add_argument("--no-plug", action="store_true", help="leave the cable out")
    parser.add_argument("command", nargs="*", help="what to run while both machines are up")
    options = parser.parse_args(words)
    options.no_plug = options.no_plug or bool(options.command)
    return options


def _port_is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _milestones(device):
    said = device.run("systemd-analyze time --no-pager 2>&1 | head -n 1", check=False).stdout.strip()
    failed = device.run("systemctl --failed --plain --no-legend", check=False).stdout.strip()
    cache.say(f"device: {said}" if said else "device: still starting")
    for line in failed.splitlines():
        cache.say(f"device: FAILED unit: {line.strip()}")


def _show(bench, options, deployed):
    cache.say("both machines: power on")
    bench.on()
    bench.pc.wait_for_ssh()
    cache.say("pc: up")
    bench.device.wait_for_ssh()
    cache.say("device: up")
    if options.no_plug:
        cache.say("the cable is out; the PC's command `plug` puts it in")
    else:
        interface = bench.plug()
        cache.say(f"pc: the device is plugged in, its network is {interface}")
        bench.pc.run("timeout 60 sh -c 'until getent hosts totton-audio.local; do sleep 0.5; done'", 90)
        cache.say("pc: totton-audio.local is found")
        bench.forward(options.port)
        url = f"http://localhost:{options.port}/"
        bench.wait_for_page(url)
        _milestones(bench.device)
    if options.command:
        return
    print()
    if not options.no_plug:
        print(f"  The page:   {url}")
        for bundle in sorted(deployed.glob("totton-update-*.swu")):
            print(f"  An update for it:   {bundle}")
    for machine in (bench.device, bench.pc):
        print(f"  {machine.name:10}  ssh -i {machine.key} -p {machine.ssh_port} root@127.0.0.1")
    print(f"  consoles    {bench.state}/*/console.log")
    print("  Ctrl-C ends both machines.", flush=True)


def _told(bench, deployed):
    return {
        **os.environ,
        "LG_DEVICE_PORT": str(bench.device.ssh_port),
        "LG_PC_PORT": str(bench.pc.ssh_port),
        "LG_KEY": str(bench.pc.key),
        "TOTTON_BENCH": str(bench.state),
        "TOTTON_DEPLOYED": str(deployed),
    }


# SIGINT too: who starts this in the background of a script has it ignored.
ENDED_BY = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _terminated(_number, _frame):
    # Ctrl-C arrives twice, from the terminal and from the process outside of the
    # builder: the second must not break off the ending.
    for number in ENDED_BY:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main(words):
    options = _arguments(words)
    for number in ENDED_BY:
        signal.signal(number, _terminated)
    start = time.monotonic()
    bench = None
    try:
        if not options.build_only and not options.no_plug and not _port_is_free(options.port):
            raise BenchFailed(f"port {options.port} of this computer is in use; choose another: --port N")
        device_image, pc_image = image.both()
        if options.build_only:
            cache.say(f"the images are there: {device_image.disk}, {pc_image.disk}")
            return 0
        bench = Bench(options.state_dir, payload.ssh_key())
        bench.prepare(device_image, pc_image)
        _show(bench, options, device_image.deployed)
        cache.say(f"ready after {time.monotonic() - start:.0f} s")
        if options.command:
            return subprocess.run(options.command, env=_told(bench, device_image.deployed), check=False).returncode
        while True:
            for machine in (bench.device, bench.pc):
                if not machine.is_on():
                    raise BenchFailed(f"{machine.name}: QEMU ended; the console's end:\n{machine.console_tail()}")
            time.sleep(1)
    except KeyboardInterrupt:
        cache.say("ending")
        return 130
    except (BenchFailed, cache.StepFailed) as failure:
        print(f"boot: {failure}", file=sys.stderr)
        return 1
    finally:
        if bench is not None:
            bench.off()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
