#!/usr/bin/env python3
"""A data set of raw grids and series that does not fit in memory, to measure what training on it takes.

    python3 bench/peers/raw_dataset.py --rows 100000 --output runs/raw
    /usr/bin/time -v build/tessera train --config bench/peers/raw_dataset.yaml data.path=runs/raw

Writes a folder that tessera reads: 14 features, series of 256 x 24, grids of 64 x 64, all made of the same
eight numbers of a sample: 40 KB a row, 3.9 GB for 100,000.
"""
import argparse
import json
import pathlib

from interpreter import run_with

try:
    import numpy as np
except ImportError:
    run_with("numpy")

FACTORS, FEATURES, STEPS, SERIES, SIDE, BLOCK = 8, 14, 256, 24, 64, 2000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=100000)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    args = parser.parse_args()
    for folder in ("features", "inputs"):
        (args.output / folder).mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)

    def array(path, shape):
        return np.lib.format.open_memmap(args.output / path, mode="w+", dtype="<f4", shape=shape)

    features = array("features/initial.npy", (args.rows, FEATURES))
    series = array("features/temporal.npy", (args.rows, STEPS, SERIES))
    grids = array("inputs/fields.npy", (args.rows, 1, SIDE, SIDE))
    mix = rng.normal(size=(FACTORS, FEATURES))
    phases = rng.normal(size=(FACTORS, SERIES))
    waves = np.arange(STEPS)[None, :, None] * rng.uniform(0.02, 0.3, size=(1, 1, SERIES))
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    patterns = np.stack([np.sin(2 * np.pi * ((i % 3 + 1) * x + (i // 3 + 1) * y)) for i in range(FACTORS)])
    for first in range(0, args.rows, BLOCK):
        last = min(args.rows, first + BLOCK)
        factors = rng.normal(size=(last - first, FACTORS))
        features[first:last] = factors @ mix + 0.3 * rng.normal(size=(last - first, FEATURES))
        series[first:last] = np.sin(waves + (factors @ phases)[:, None, :])
        grids[first:last] = (factors @ patterns.reshape(FACTORS, -1)).reshape(-1, 1, SIDE, SIDE)
        print(f"\r{last} of {args.rows} rows", end="", flush=True)
    print()
    names = {"initial": [f"value_{i}" for i in range(FEATURES)],
             "temporal": [f"wave_{i}" for i in range(SERIES)]}
    (args.output / "names.json").write_text(json.dumps(names))


if __name__ == "__main__":
    main()
