"""The arithmetic of risk: arrays in, arrays out. No clock, no logger, no I/O, no global state."""
