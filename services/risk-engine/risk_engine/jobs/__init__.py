"""The risk engine's longer work: `calculate` a chunk, on a `pool` of processes (`process`).

Empty, because the processes of the pool import it: they need no web framework and no database.
"""
