"""The python that has a peer's packages, and an environment in which its BLAS runs at full speed."""

import os
import subprocess
import sys

# They pin OpenBLAS and MKL to kernels of older processors.
for name in ("OPENBLAS_CORETYPE", "MKL_DEBUG_CPU_TYPE"):
    os.environ.pop(name, None)

PYTHONS = [os.environ.get("PEER_PYTHON"), "python3", "/usr/bin/python3"]


def run_with(modules):
    """Runs this script again under the first interpreter that imports `modules` ("scipy, sklearn")."""
    for python in filter(None, PYTHONS):
        if os.environ.get("TESSERA_PEER") == python:
            continue
        try:
            found = subprocess.run([python, "-c", f"import {modules}"], capture_output=True)
        except OSError:
            continue
        if found.returncode == 0:
            os.environ["TESSERA_PEER"] = python
            os.execvp(python, [python, *sys.argv])
    print(f"{os.path.basename(sys.argv[0])}: no python with {modules} found "
          "(tried $PEER_PYTHON, python3, /usr/bin/python3)", file=sys.stderr)
    sys.exit(77)  # nothing to compare with, which is no failure
