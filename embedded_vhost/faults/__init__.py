"""Faults that can be planted in the target, to prove that a test suite notices them.

A healthy target knows nothing of them. They take hold at a few points: an RPC method can be wrapped
(`Dispatcher.wrap`), and `ControllerRegistry.make_device` and `make_unit` can make something else for the VMs and
targets that come. One small class a fault, one module a topic; `registry` has them all by name.
"""
