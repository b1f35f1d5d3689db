#!/usr/bin/env python3
"""Nearest codes and matrix products in PyTorch and in tessera, shape by shape, in one call.

    python3 bench/peers/torch_kernels.py [--device cpu|cuda] [--threads 1] [--turns 3] [--filter TEXT] [--json FILE]

Nearest codes: |e|^2 - 2 z e^T by one product, then argmin, and the chosen rows and their distances where
tessera's case gives them too; float32 (no TF32). PyTorch's distances are expanded, so its codes may differ
from the nearest by rounding; tessera's may not. Products: addmm, or mm without a bias. All cases of
tessera and all of PyTorch's in turns; medians and the ratio PyTorch / tessera are printed, its geometric
mean at the end.
"""
import json
import math
import re
import statistics
import time

from interpreter import run_with
from timing import area_on, bench_cases, parsed, peer_parser, seconds_of, use_device

parser = peer_parser(__doc__, seconds=0.2)
parser.add_argument("--filter", default="", help="only cases whose name has this in it")
args = parsed(parser)
try:
    import torch
except ImportError:
    run_with("torch")

SCORES = 1 << 30  # values of scores at a time: 4 GiB
SEARCH = re.compile(r"vq_assign\w*/(codes|all)/(\d+)x(\d+)x(\d+)")
PRODUCT = re.compile(r"matmul\w*/(\w+)/([nt])([nt])/(\d+)x(\d+)x(\d+)")


def search(outputs, rows, codes, dim):
    latents, codebook = (torch.randn(n, dim, device=args.device) for n in (rows, codes))

    def some(z):
        scores = torch.addmm((codebook * codebook).sum(1), z, codebook.t(), alpha=-2)
        if outputs == "codes":
            return scores.argmin(1)
        best, nearest = scores.min(1)
        return nearest, codebook[nearest], best + (z * z).sum(1)

    step = max(1, SCORES // codes)
    return lambda: [some(latents[i:i + step]) for i in range(0, rows, step)]


def product(what, ta, tb, m, n, k):
    def matrix(transposed, rows, cols):
        if transposed == "t":
            return torch.randn(cols, rows, device=args.device).t()
        return torch.randn(rows, cols, device=args.device)

    a, b = matrix(ta, m, k), matrix(tb, k, n)
    if what in ("forward", "tall", "one_row"):  # those with a bias
        bias = torch.randn(n, device=args.device)
        return lambda: torch.addmm(bias, a, b)
    return lambda: torch.mm(a, b)


def peer_of(name):
    """What does in PyTorch the work of a case; nothing for one without a peer."""
    if found := SEARCH.fullmatch(name):
        return search(found[1], *(int(n) for n in found.groups()[1:]))
    if found := PRODUCT.fullmatch(name):
        return product(found[1], found[2], found[3], *(int(n) for n in found.groups()[3:]))
    return None


@torch.no_grad()
def main():
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    use_device(torch, args.device)
    print(f"{args.device}, {args.threads} thread(s), PyTorch {torch.__version__}; milliseconds, median")
    print(f"{'case':44}{'tessera':>10}{'PyTorch':>10}{'ratio':>8}", flush=True)
    rows = []
    for area in ("vq_assign", "matmul"):
        mine, theirs = {}, {}
        for _ in range(args.turns):
            for case in bench_cases(args.program, area_on(area, args.device) + "/", args.threads, args.seconds, args.clock):
                name = case["name"]
                peer = peer_of(name) if args.filter in name else None
                if peer is None:
                    continue
                mine.setdefault(name, []).append(case["seconds_median"])
                theirs.setdefault(name, []).extend(seconds_of(peer, args.seconds, args.clock, args.device))
        for name, seconds in mine.items():
            tessera, torchs = statistics.median(seconds), statistics.median(theirs[name])
            rows.append({"case": name, "tessera_ms": tessera * 1e3, "torch_ms": torchs * 1e3, "ratio": torchs / tessera})
            print(f"{name:44}{tessera * 1e3:10.4f}{torchs * 1e3:10.4f}{torchs / tessera:8.2f}", flush=True)
    mean = math.exp(statistics.mean(math.log(row["ratio"]) for row in rows)) if rows else math.nan
    print(f"geometric mean of {len(rows)} ratios {mean:.2f}, lowest {min((row['ratio'] for row in rows), default=math.nan):.2f}")
    if args.json:
        json.dump({"device": args.device, "threads": args.threads, "torch": torch.__version__, "geometric_mean": mean,
                   "cases": rows, "date": time.strftime("%Y-%m-%d")}, open(args.json, "w"), indent=1)


if __name__ == "__main__":
    main()
