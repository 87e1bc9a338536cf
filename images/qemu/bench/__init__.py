"""The virtual bench: the device and a PC as two QEMU machines.

On the host's Python:
  cache      results of slow steps, by the hash of their inputs
  host       what the host must have, said exactly where it is missing
  builder    the Debian with every tool, and commands inside it
In the builder:
  payload    what is laid over Debian: binaries, conf/, the bench's own files
  modules    the kernel modules of the virtual cable, patched
  swupdate   SWUpdate with the product's configuration
  layer      what the layer says of the device's disk
  initramfs  what mounts the root file system
  disk       the device's: ESP, slots, data
  image      all that is made of these, and when
  kvm        whether KVM really works here
  machine    one QEMU machine
  stopwatch  how long a boot takes, in instructions
  pair       both, with a cable between them
  cli        images/qemu/boot
"""
