"""The virtual bench: the device and a PC as two QEMU machines.

builder   the Debian chroot with every tool; runs commands inside it
host      what the host must have
cache     results of slow steps, by the hash of their inputs
"""
