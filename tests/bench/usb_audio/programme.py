"""What is played, and what came of it."""

import numpy as np
import signals

# How long a recorder may take to see the stream and open the card, in seconds: every
# programme begins with so much silence.
LEAD = 2.0
TAIL = 0.7

# What snd-usb-audio has queued at most: 12 URBs, each as long as the feedback endpoint's
# interval of 1 ms, in packets of the sound endpoint's interval (bInterval 4 and 3).
QUEUED = 12e-3
PACKET = 500e-6


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


def difference_of_ended(recorded, played, rate):
    """In words, where the recording of a player that was ended is not as it must be; None: nowhere.

    The computer takes its queued URBs back one by one (docs/virtual-cable.md). Until then every
    bit is right; after it, of what was queued, packets may be missing. Those that still come are
    whole and in order; but the recorder hands over whole periods, which cuts the last one short.
    """
    rest, queued = signals.sounding_part(recorded), signals.sounding_part(played)
    intact = alike(rest, queued)
    rest, queued = rest[intact:], queued[intact : intact + int(np.ceil(rate * QUEUED))]
    lengths = []
    while len(rest):
        found = np.flatnonzero(np.all(queued == rest[0], axis=1))
        if not len(found):
            return f"after {intact} frames, and of then queued {lengths} missing and heard, {rest[0]} was not queued"
        missing = int(found[0])
        heard = alike(rest, queued[missing:])
        lengths += [missing, heard]
        rest, queued = rest[heard:], queued[missing + heard :]
    broken = [frames for frames in lengths[:-1] if not are_whole_packets(frames, rate)]
    if broken:
        return f"after {intact} frames {lengths} frames are missing and heard in turn: {broken} are no whole packets"
    print(f"{intact} frames without a gap; then missing and heard in turn: {lengths}")
    return None


def alike(these, those):
    """How many frames are the same from the beginning on."""
    shared = min(len(these), len(those))
    differing = np.flatnonzero(np.any(these[:shared] != those[:shared], axis=1))
    return int(differing[0]) if len(differing) else shared


def are_whole_packets(frames, rate):
    """Whether so many frames fill one packet or several."""
    size = rate * PACKET
    packets = round(frames / size)
    return packets >= 1 and frames in (np.floor(packets * size), np.ceil(packets * size))
