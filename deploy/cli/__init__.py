"""The operator's command line and the demo: a client like any other, importing `common` only."""
