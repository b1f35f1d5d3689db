#!/usr/bin/env python3
"""Category discovery and cleaning in NumPy, SciPy, scikit-learn and in tessera, in one call.

    python3 bench/peers/scipy_discovery.py [--program build/bench/tessera_bench] [--threads 2] [--json FILE]

500 features of 50,000 rows, float32. Discovery: correlation in binary64 (as numpy.corrcoef), 1 - |r|,
Ward linkage, the cuts into 2 to 25 clusters and their silhouettes. Cleaning: deviation, correlation
and information of duplicates, median of missing values, percentiles 0.5 and 99.5, capping. Both
sides are measured in turns; the best of each and their ratio are printed, and beside them what the
peer's BLAS reaches on this machine.
"""
import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time

from interpreter import run_with

ROWS, FEATURES, GROUPS, CUTS = 50000, 500, 20, range(2, 26)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--program", default="build/bench/tessera_bench")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--clock", default="wall", choices=["wall", "thread"],
                        help="thread: what one thread has computed, for a machine that others use too")
    parser.add_argument("--json", help="write the figures to this file")
    return parser.parse_args()


args = arguments()
if args.clock == "thread" and args.threads != 1:
    sys.exit("scipy_discovery.py: --clock thread measures one thread; add --threads 1")
clock = time.perf_counter if args.clock == "wall" else time.thread_time
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = str(args.threads)
try:
    import numpy as np
    import scipy
    import sklearn
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform
    from sklearn.metrics import silhouette_score
except ImportError:
    run_with("scipy, sklearn")


def features():
    rng = np.random.default_rng(1)
    latents = rng.uniform(-1, 1, (ROWS, GROUPS)).astype(np.float32)
    noise = rng.uniform(-1, 1, (ROWS, FEATURES)).astype(np.float32)
    return noise + np.tile(latents, FEATURES // GROUPS)


def correlation(x):
    # numpy.corrcoef without its two extra copies: x.T @ x of one array is a rank-k update.
    centred = x.astype(np.float64)
    centred -= centred.mean(axis=0)
    products = centred.T @ centred
    norms = np.sqrt(np.diag(products))
    return np.clip(products / norms[:, None] / norms, -1, 1)


def discover(x):
    distances = 1 - np.abs(correlation(x))
    np.fill_diagonal(distances, 0)
    tree = linkage(squareform(distances, checks=False), "ward")
    return [silhouette_score(distances, fcluster(tree, k, "maxclust"), metric="precomputed") for k in CUTS]


def information(column):
    counts = np.histogram(column, bins=min(50, len(column) // 20))[0]
    p = counts / (counts.sum() + 1e-10)
    q1, q3 = np.percentile(column, [25, 75])
    spread = q3 - q1
    outside = np.mean((column < q1 - 1.5 * spread) | (column > q3 + 1.5 * spread))
    return -np.sum(p * np.log(p + 1e-10)) * (spread + 1e-10) * (1 - outside)


def clean(x):
    x = x[:, np.nanstd(x, axis=0) > 1e-10]
    r = np.abs(np.nan_to_num(correlation(x)))
    keep = np.ones(x.shape[1], bool)
    for i, j in zip(*np.nonzero(np.triu(r, 1) > 0.99)):
        if keep[i] and keep[j]:
            keep[i if information(x[:, i]) < information(x[:, j]) else j] = False
    x = x[:, keep]
    medians = np.nanmedian(x, axis=0)
    x = np.where(np.isnan(x), medians, x)
    low, high = np.percentile(x, [0.5, 99.5], axis=0)
    return np.clip(x, low, high)


def seconds(run):
    start = clock()
    run()
    return clock() - start


def ours():
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        command = [args.program, "--filter", "discovery/", "--threads", str(args.threads), "--seconds",
                   "1.5", "--clock", args.clock, "--json", file.name]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        cases = json.load(open(file.name))["cases"]
    return {case["name"].split("/")[1]: case["seconds_best"] for case in cases}


def main():
    if not os.access(args.program, os.X_OK):
        sys.exit(f"scipy_discovery.py: {args.program} is not there; build it with tools/test.sh, or name it with --program")
    x = features()
    a = np.random.default_rng(0).normal(size=(1024, 1024))
    blas = 2 * 1024**3 / min(seconds(lambda: a @ a) for _ in range(10)) / 1e9
    peer = {"correlation": lambda: correlation(x), "all": lambda: discover(x), "cleaning": lambda: clean(x)}
    best = {name: [float("inf"), float("inf")] for name in peer}
    for turn in range(args.turns):
        mine = ours()
        for name, run in peer.items():
            best[name][0] = min(best[name][0], mine[name])
            best[name][1] = min([best[name][1]] + [seconds(run) for _ in range(3)])
        print(f"turn {turn + 1} done", flush=True)
    print(f"\n{FEATURES} features of {ROWS} rows, {args.threads} thread(s), {args.clock} clock, best of {args.turns} turns; NumPy "
          f"{np.__version__}, SciPy {scipy.__version__}, scikit-learn {sklearn.__version__}, {sys.executable}")
    for name, (mine, other) in best.items():
        print(f"  {name:<12} tessera {mine * 1e3:7.1f} ms   peer {other * 1e3:7.1f} ms   ratio {other / mine:.2f}x")
    print(f"the peer's BLAS does a binary64 1024^3 product at {blas:.0f} GFLOP/s")
    if args.json:
        json.dump({"threads": args.threads, "clock": args.clock, "blas_gflops_f64_1024": blas, "python": sys.executable,
                   "machine": platform.processor() or platform.machine(), "date": time.strftime("%Y-%m-%d"),
                   "seconds": {name: {"tessera": m, "peer": p, "ratio": p / m} for name, (m, p) in best.items()}},
                  open(args.json, "w"), indent=1)


if __name__ == "__main__":
    main()
