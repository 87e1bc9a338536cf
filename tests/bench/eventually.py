"""The one way to wait: ask until it is so, at most until a deadline."""

import time


def eventually(what, probe, deadline=60.0, every=0.5):
    """Calls `probe` until it returns something true, and returns that.

    An AssertionError raised by the probe counts as "not yet". After `deadline`
    seconds the last answer is part of the failure.
    """
    end = time.monotonic() + deadline
    while True:
        try:
            last = probe()
            if last:
                return last
        except AssertionError as error:
            last = error
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline} s: {what}; last: {last!r}")
        time.sleep(every)
