"""The one way to wait: ask until it is so, at most until a deadline."""

import time

from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException

# What a probe may raise that means "not yet".
NOT_YET = (AssertionError, NoSuchElementException, StaleElementReferenceException)


def eventually(what, probe, deadline=60.0, every=0.5):
    """Calls `probe` until it returns something true, and returns that.

    A failed assertion and a part of a page that is not there count as "not yet". After `deadline`
    seconds the last answer is part of the failure.
    """
    end = time.monotonic() + deadline
    while True:
        try:
            last = probe()
            if last:
                return last
        except NOT_YET as error:
            last = error
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline} s: {what}; last: {last!r}")
        time.sleep(every)
