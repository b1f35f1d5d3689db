"""One line of encoder_ablation.sh: errors of a run by family, and what can be read from its tokens.

  python3 tools/examples/encoder_probe.py DATA RUN

DATA holds the folders train and test of simulated samples; RUN.json what `tessera eval --json` says of the
test samples, RUN/train.decoded.npy and RUN/test.decoded.npy the decoded features of both.
"""

import array
import ast
import json
import math
import operator
import struct
import sys

CELLS = 16  # of a grid, on a side, that become one mean
RIDGE = 0.01  # added to the diagonal of the features' correlations


def read_npy(path):
    """Shape and values of a file of 32-bit floats in C order."""
    with open(path, "rb") as file:
        magic = file.read(8)
        size = struct.unpack("<H", file.read(2))[0] if magic[6] == 1 else struct.unpack("<I", file.read(4))[0]
        header = ast.literal_eval(file.read(size).decode())
        if header["descr"] != "<f4" or header["fortran_order"]:
            sys.exit(f"{path}: holds {header['descr']}; 32-bit floats in C order are expected")
        values = array.array("f")
        values.frombytes(file.read())
    return header["shape"], values


def columns_of(path):
    (rows, cols), values = read_npy(path)
    return [values[c::cols].tolist() for c in range(cols)]


def sorted_grid_means(path):
    """Means over CELLS x CELLS cells of each channel, as columns, the largest of a sample first."""
    (rows, channels, height, width), values = read_npy(path)
    samples = []
    for row in range(rows):
        sample = []
        for channel in range(channels):
            means = []
            for y in range(0, height, CELLS):
                for x in range(0, width, CELLS):
                    first = ((row * channels + channel) * height + y) * width + x
                    means.append(sum(sum(values[first + i * width:first + i * width + CELLS])
                                     for i in range(CELLS)) / CELLS**2)
            sample += sorted(means, reverse=True)
        samples.append(sample)
    return [list(column) for column in zip(*samples)]


def standardised(columns, by):
    """Columns less the means of `by`, over its deviations; a constant column becomes 0."""
    result = []
    for column, reference in zip(columns, by):
        mean = sum(reference) / len(reference)
        deviation = math.sqrt(sum((v - mean)**2 for v in reference) / len(reference))
        result.append([(v - mean) / deviation if deviation > 1e-6 else 0.0 for v in column])
    return result


def dot(left, right):
    return sum(map(operator.mul, left, right))


def cholesky(matrix):
    lower = []
    for i, row in enumerate(matrix):
        lower.append([])
        for j in range(i + 1):
            rest = row[j] - dot(lower[i], lower[j][:j])
            lower[i].append(math.sqrt(rest) if i == j else rest / lower[j][j])
    return lower


def solve(lower, b):
    x = []
    for i, row in enumerate(lower):
        x.append((b[i] - dot(row[:i], x)) / row[i])
    for i in reversed(range(len(x))):
        x[i] = (x[i] - sum(lower[k][i] * x[k] for k in range(i + 1, len(x)))) / lower[i][i]
    return x


def shares_explained(train_x, train_y, test_x, test_y):
    """1 - error / variance of each column of y on the test rows, by ridge regression on x."""
    rows = len(train_x[0])
    test_x, train_x = standardised(test_x, train_x), standardised(train_x, train_x)
    test_y, train_y = standardised(test_y, train_y), standardised(train_y, train_y)
    gram = [[dot(a, train_x[j]) / rows + (RIDGE if i == j else 0) for j in range(i + 1)]
            for i, a in enumerate(train_x)]
    lower = cholesky(gram)
    shares = []
    for target, truth in zip(train_y, test_y):
        weights = solve(lower, [dot(a, target) / rows for a in train_x])
        error = sum((sum(w * column[n] for w, column in zip(weights, test_x)) - y)**2
                    for n, y in enumerate(truth))
        mean = sum(truth) / len(truth)
        variance = sum((y - mean)**2 for y in truth)
        if variance > 0:
            shares.append(1 - error / variance)
    return shares


def main():
    data, run = sys.argv[1:]
    with open(run + ".json") as file:
        measured = json.load(file)
    error = {source["name"]: source["reconstruction_error"] for source in measured["feature_sources"]}
    train_x, test_x = (columns_of(f"{run}/{part}.decoded.npy") for part in ("train", "test"))
    shares = []
    for read, name in ((columns_of, "parameters/params.npy"), (sorted_grid_means, "inputs/fields.npy")):
        found = shares_explained(train_x, read(f"{data}/train/{name}"), test_x, read(f"{data}/test/{name}"))
        shares.append(sum(found) / len(found))
    with open(run + "/metrics.jsonl") as file:
        seconds = sum(json.loads(line)["seconds"] for line in file)
    print(measured["reconstruction_error"], error["initial, given"], error["summary, given"], *shares, seconds)


main()
