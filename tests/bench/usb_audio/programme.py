"""What is played, and what came of it."""

import numpy as np
import signals

# How long a recorder may take to see the stream and open the card, in seconds: every
# programme begins with so much silence.
LEAD = 2.0
TAIL = 0.7


def silence(rate, seconds):
    return np.zeros((int(rate * seconds), 2), dtype="<i4")


def noise(frames, seed=1):
    """Noise that uses every one of the 32 bits."""
    return np.random.default_rng(seed).integers(-(2**31), 2**31, size=(frames, 2), dtype="<i4")


def exact(frames):
    """Frames within -1..1 as 32-bit integers."""
    return np.round(frames * signals.FULL_SCALE).clip(-(2**31), 2**31 - 1).astype("<i4")


def programme(rate, seconds=0.5):
    """Silence, tone, sweep and noise; 32-bit integers, shape (frames, 2).

    The first frames that sound are noise, so that the beginning cannot be mistaken.
    """
    extremes = np.array([[-(2**31), 2**31 - 1], [1, -1], [2**31 - 1, -(2**31)]], dtype="<i4")
    return np.concatenate([
        silence(rate, LEAD), noise(64, seed=2), silence(rate, 0.2),
        exact(signals.tone(rate, seconds, 997.0, -6.0)),
        exact(signals.sweep(rate, seconds, 20.0, 20000.0, -1.0)),
        noise(int(rate * seconds)), extremes, silence(rate, TAIL),
    ])


def difference(recorded, played):
    """In words, where the recorded frames differ from the played; None: nowhere.

    Both count from their first frame that sounds to their last.
    """
    recorded, played = signals.sounding_part(recorded), signals.sounding_part(played)
    shared = min(len(recorded), len(played))
    differing = np.flatnonzero(np.any(recorded[:shared] != played[:shared], axis=1))
    if len(differing):
        at = int(differing[0])
        return f"frame {at} of {len(played)} is {recorded[at]}, played was {played[at]}; {len(differing)} differ"
    if len(recorded) != len(played):
        return f"{len(recorded)} frames came, {len(played)} were played, alike as far as they go"
    return None
