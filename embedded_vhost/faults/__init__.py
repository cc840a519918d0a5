"""Fault injection: deliberate faults of the embedded vhost, to prove that a test suite notices them.

No other part of the program depends on faults. They are installed at a few points: they wrap an RPC method
(`Dispatcher.wrap`), or replace what `ControllerRegistry.make_device` and `make_unit` make for new VMs and targets. Each
fault is one small class, each topic one module; `registry` has all faults by name.
"""
