"""All tests, run as the product runs: arithmetic on one thread.

A matrix product on several threads is cut where the number of columns says, so its last digits
would depend on what else is multiplied; and the workers would take each other's cores.
"""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    # Read when numpy is loaded, which nothing has done before this.
    os.environ.setdefault(_name, "1")
