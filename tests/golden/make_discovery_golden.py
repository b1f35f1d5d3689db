#!/usr/bin/env python3
"""Writes golden_discovery.json: what SciPy and scikit-learn make of 25 small matrices.

    python3 tests/golden/make_discovery_golden.py

Values are whole numbers, so that float32 holds them exactly and everything after them is binary64.
20 matrices are random, 5 have a structure that clusterings find hard. Labels of a cut are letters,
"a" for the cluster of the first feature, "b" for the next new one, and so on.
"""
import json
import os

import numpy as np
import scipy
import sklearn
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist, squareform
from sklearn.metrics import silhouette_score

LINKAGES = ["ward", "average", "complete", "single"]
MOST_CLUSTERS = 8


def whole(x):
    return np.round(x / np.abs(x).max() * 999).astype(int)


def random_matrix(rng, index):
    rows, cols = int(rng.integers(8, 25)), int(rng.integers(3, 17))
    common = rng.normal(size=(rows, 1 + index % 4))
    mixing = rng.normal(size=(common.shape[1], cols))
    return whole(common @ mixing + (0.2 + index / 10) * rng.normal(size=(rows, cols)))


def structured_matrices(rng):
    rows = 24
    factors = rng.normal(size=(rows, 4))
    noise = rng.normal(size=(rows, 16))
    yield "blocks", whole(np.repeat(factors, 4, axis=1) + 0.3 * noise)
    yield "nested", whole(np.repeat(factors[:, :2], 8, axis=1) + 0.7 * np.repeat(
        rng.normal(size=(rows, 4)), 4, axis=1) + 0.2 * noise)
    chain = np.cumsum(rng.normal(size=(rows, 14)), axis=1)
    yield "chain", whole(chain)
    signs = np.where(np.arange(12) % 2 == 0, 1, -1)
    yield "opposite signs", whole(np.repeat(factors[:, :3], 4, axis=1) * signs + 0.2 * noise[:, :12])
    equal = np.kron(np.eye(3), np.ones((8, 4))) * 500 + 0
    yield "equal columns and equal heights", whole(equal)


def letters(labels):
    order = {}
    return "".join(chr(ord("a") + order.setdefault(label, len(order))) for label in labels)


def case(x, distance, method):
    r = np.corrcoef(x, rowvar=False)
    if distance == "correlation":
        d = 1 - np.abs(r)
    elif distance == "cosine":
        d = squareform(pdist((x - x.mean(0)).T, "cosine"))
    else:
        d = squareform(pdist(((x - x.mean(0)) / x.std(0)).T, "euclidean"))
    np.fill_diagonal(d, 0)
    d = np.maximum((d + d.T) / 2, 0)
    tree = linkage(squareform(d, checks=False), method)
    size = x.shape[1]
    cuts, silhouettes = {}, {}
    for clusters in range(2, min(MOST_CLUSTERS, size - 1) + 1):
        labels = fcluster(tree, clusters, "maxclust")
        if len(set(labels)) == clusters:  # equal heights can leave fewer
            cuts[clusters] = letters(labels)
            silhouettes[clusters] = float(silhouette_score(d, labels, metric="precomputed"))
    return {"distance": distance, "linkage": method, "heights": [float(h) for h in tree[:, 2]],
            "cuts": cuts, "silhouettes": silhouettes}


def main():
    rng = np.random.default_rng(7)
    matrices = [(f"random {i}", random_matrix(rng, i)) for i in range(20)]
    matrices += list(structured_matrices(rng))
    entries = []
    for i, (name, x) in enumerate(matrices):
        cases = [case(x, "correlation", method) for method in LINKAGES]
        if i % 4 == 0 and name != "equal columns and equal heights":  # there sqrt(1 - r) is rounding
            cases += [case(x, distance, method) for distance in ("cosine", "euclidean")
                      for method in ("ward", "average")]
        entries.append({"name": name, "rows": x.shape[0], "cols": x.shape[1],
                        "x": x.ravel().tolist(), "cases": cases})
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden_discovery.json")
    with open(path, "w") as file:
        json.dump({"made_with": f"NumPy {np.__version__}, SciPy {scipy.__version__}, "
                                f"scikit-learn {sklearn.__version__}", "matrices": entries},
                  file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
