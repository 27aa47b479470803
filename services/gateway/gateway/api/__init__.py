"""The gateway's doors: the proxy, the event streams, the documents."""
