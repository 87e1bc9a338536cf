"""Test signals and WAV files of 32-bit frames."""

import wave
from pathlib import Path

import numpy as np

FULL_SCALE = 2.0**31


def tone(rate, seconds, hertz, dbfs):
    """A sine on both channels, the right one in quadrature; shape (frames, 2)."""
    t = np.arange(int(rate * seconds)) / rate
    amplitude = 10 ** (dbfs / 20)
    return amplitude * np.stack([np.sin(2 * np.pi * hertz * t), np.cos(2 * np.pi * hertz * t)], axis=1)


def sweep(rate, seconds, low, high, dbfs):
    """An exponential sine sweep (Farina 2000) on both channels; shape (frames, 2)."""
    t = np.arange(int(rate * seconds)) / rate
    k = np.log(high / low)
    phase = 2 * np.pi * low * seconds / k * (np.exp(t * k / seconds) - 1)
    return 10 ** (dbfs / 20) * np.stack([np.sin(phase), -np.sin(phase)], axis=1)


def write_s32(path, rate, frames):
    """Writes frames within -1..1 as a 32-bit WAV file."""
    samples = np.clip(np.round(frames * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype("<i4")
    with wave.open(str(path), "wb") as out:
        out.setnchannels(samples.shape[1])
        out.setsampwidth(4)
        out.setframerate(rate)
        out.writeframes(samples.tobytes())


def read_raw_s32(path, channels=2):
    """Raw interleaved 32-bit frames; shape (frames, channels)."""
    data = np.frombuffer(Path(path).read_bytes(), dtype="<i4")
    return data[: len(data) // channels * channels].reshape(-1, channels)


def read_wav_s32(path):
    """Frames of a 32-bit stereo WAV file; shape (frames, 2)."""
    blob = Path(path).read_bytes()
    assert blob[:4] == b"RIFF" and blob[8:12] == b"WAVE", "not a WAV file"
    at = 12
    while blob[at : at + 4] != b"data":
        at += 8 + int.from_bytes(blob[at + 4 : at + 8], "little")
    size = int.from_bytes(blob[at + 4 : at + 8], "little")
    return np.frombuffer(blob[at + 8 : at + 8 + size], dtype="<i4").reshape(-1, 2)


def sounding_part(frames):
    """The frames from the first to the last that is not digital silence."""
    loud = np.flatnonzero(np.any(frames != 0, axis=1))
    assert len(loud), "only silence was recorded"
    return frames[loud[0] : loud[-1] + 1]


def sine_fit(samples, rate, hertz):
    """Least-squares sine at a known frequency: (amplitude, residual RMS), in the samples' unit."""
    t = 2 * np.pi * hertz * np.arange(len(samples)) / rate
    basis = np.stack([np.sin(t), np.cos(t), np.ones_like(t)], axis=1)
    solution, *_ = np.linalg.lstsq(basis, samples, rcond=None)
    residual = samples - basis @ solution
    return float(np.hypot(solution[0], solution[1])), float(np.sqrt(np.mean(residual**2)))
