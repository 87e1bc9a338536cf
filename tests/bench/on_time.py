"""Whether the emulated device was woken on time while a test listened to its sound.

Its clock goes with the computer's while it sleeps: where the computer does not run the emulator for a
while, a buffer that lasts 100 ms runs dry, whatever the product does. On each of its processors a loop
runs above all audio threads. A test with the mark `on_time` that fails while one of these was late is run
again, and the report says so; what fails with all of them on time has failed.
"""

import pytest

# Late by so many milliseconds: far more than a kernel makes it, less than any buffer of the product.
LATE_MS = 40
LOG = "/run/on-time"
# clock_gettime(2), number 113 on arm64, of CLOCK_MONOTONIC. Nothing but late wake-ups is written.
LOOP = f"""perl -e 'my $p; $| = 1; while (1) {{ select(undef, undef, undef, 0.01); my $t = "\\0" x 16;
syscall(113, 1, $t); my ($s, $n) = unpack("qq", $t); my $now = $s * 1000 + $n / 1e6;
printf "at %.1f s by %d ms\\n", $now / 1000, $now - $p - 10 if $p && $now - $p - 10 > {LATE_MS}; $p = $now }}'"""


class MachineLate(AssertionError):
    """The emulator stood still while a test listened."""


class Watch:
    """The loops on a device."""

    def __init__(self, device):
        self.device = device

    def start(self):
        self.device.run(
            "for cpu in $(seq 0 $(($(nproc) - 1))); do "
            f"(exec taskset -c $cpu chrt -f 90 {LOOP}) > {LOG}.$cpu 2>&1 < /dev/null & echo $!; done > {LOG}.pids"
        )

    def stop(self):
        """When one was late, and by how much; empty when none was. A loop that did not run excuses nothing."""
        return self.device.run(f"kill $(cat {LOG}.pids) 2> /dev/null; grep -h '^at ' {LOG}.[0-9]*; rm {LOG}.*").strip()


class Plugin:
    """Watches over the marked tests."""

    def pytest_collection_modifyitems(self, items):
        for item in items:
            if item.get_closest_marker("on_time"):
                item.add_marker(pytest.mark.flaky(reruns=2, only_rerun=[MachineLate.__name__]))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item):
        if not item.get_closest_marker("on_time"):
            return (yield)
        watch = Watch(item.funcargs["device"])
        watch.start()
        try:
            result = yield
        except Exception as error:
            late = watch.stop()
            if late:
                raise MachineLate(f"the emulator stood still: {late}; meanwhile: {error}") from error
            raise
        watch.stop()
        return result
