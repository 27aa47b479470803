"""How the system is run: embedded in one process, in containers, and by an operator's hand."""
