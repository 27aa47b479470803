"""The seven services as seven processes on this machine, kept running by a small supervisor."""
