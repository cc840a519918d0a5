"""The life of a QEMU virtual machine, and what its guest sees."""
