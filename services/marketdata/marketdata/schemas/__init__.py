"""What marketdata gives over HTTP: `prices` to people, `panel` to the risk engine."""
