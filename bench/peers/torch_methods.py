#!/usr/bin/env python3
"""One training step of autograd STE at the lab's default size, in PyTorch and in tessera, in one call.

    python3 bench/peers/torch_methods.py [--program build/bench/tessera_bench] [--clock wall|thread] [--json FILE]

D=64, rank 6, m=4, K=32, batch 1024, float32, one thread. A step draws and gathers its batch, quantizes,
takes three losses, their gradients, a plain gradient step and the polar factor of the encoder. Both are
measured in turns; medians and their ratio are printed, and beside them what the peer's BLAS reaches on
this machine. `--clock thread` counts the processor time of the one thread: the truth on a machine that
others use too.
"""
import argparse
import functools
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

from interpreter import run_with



def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--program", default="build/bench/tessera_bench")
    parser.add_argument("--clock", default="wall", choices=["wall", "thread"])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--json", help="write the figures to this file")
    return parser.parse_args()


args = arguments()
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
try:
    import torch
except ImportError:
    run_with("torch")

D, RANK, M, K, ROWS, BATCH = 64, 6, 4, 32, 20000, 1024
ALPHA, BETA, RATE_W, RATE_E = 1.0, 0.25, 0.05, 0.2
clock = time.thread_time if args.clock == "thread" else time.perf_counter


def svd_polar(w):
    u, _, v = torch.linalg.svd(w, full_matrices=False)
    return u @ v


def eigen_polar(w):
    """The same factor by the eigenvectors of the 4 x 4 Gram matrix, where that is faster."""
    values, vectors = torch.linalg.eigh(w @ w.T)
    return vectors @ (values.rsqrt()[:, None] * (vectors.T @ w))


class Peer:
    def __init__(self, polar):
        torch.manual_seed(0)
        variances = torch.logspace(2, -2, RANK, base=2.0)
        basis = torch.linalg.qr(torch.randn(D, RANK))[0]
        self.data = torch.randn(ROWS, RANK) * variances.sqrt() @ basis.T
        self.w = basis[:, :M].T.clone().requires_grad_()
        self.e = (self.data[:K] @ self.w.T).detach().clone().requires_grad_()
        self.optimizers = [torch.optim.SGD([self.w], lr=RATE_W), torch.optim.SGD([self.e], lr=RATE_E)]
        self.polar = polar

    def step(self):
        # Forms chosen by time: index_select for indexing, summed mse_loss for squares, min for argmin.
        squares = functools.partial(torch.nn.functional.mse_loss, reduction="sum")
        x = self.data.index_select(0, torch.randint(ROWS, (BATCH,)))
        z = x @ self.w.T
        with torch.no_grad():
            codes = torch.addmm((self.e * self.e).sum(1), z, self.e.T, alpha=-2).min(1).indices
        q = self.e.index_select(0, codes)
        passed = z + (q - z).detach()
        loss = squares(passed @ self.w, x) + ALPHA * squares(q, z.detach()) + BETA * squares(z, q.detach())
        loss = loss / BATCH
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        for optimizer in self.optimizers:
            optimizer.step()
        with torch.no_grad():
            self.w.copy_(self.polar(self.w))


def timed(run, seconds=1.5):
    for _ in range(50):
        run()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = clock()
        run()
        times.append(clock() - start)
    return statistics.median(times)


def ours():
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        command = [args.program, "--filter", "methods/ste_autograd", "--threads", "1", "--clock", args.clock,
                   "--seconds", "1.5", "--json", file.name]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return json.load(open(file.name))["cases"][0]


def main():
    if not os.access(args.program, os.X_OK):
        sys.exit(f"torch_methods.py: {args.program} is not there; build it with tools/test.sh, "
                 "or name it with --program")
    torch.set_num_threads(1)
    polars = {"svd": svd_polar, "eigh": eigen_polar}
    seconds = {name: timed(Peer(polar).step, 0.5) for name, polar in polars.items()}
    best = min(seconds, key=seconds.get)
    for name, value in seconds.items():
        print(f"PyTorch with the polar factor by {name}: {value * 1e3:.3f} ms")
    peer = Peer(polars[best])
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    blas = 2 * 1024**3 / timed(lambda: a @ b, 0.5) / 1e9
    tessera, peers = [], []
    for turn in range(args.turns):
        case = ours()
        tessera.append(case["seconds_median"])
        peers.append(timed(peer.step))
        print(f"turn {turn + 1}: tessera {tessera[-1] * 1e3:.4f} ms, PyTorch {peers[-1] * 1e3:.4f} ms",
              flush=True)
    mine, other = statistics.median(tessera), statistics.median(peers)
    figures = {"threads": 1, "clock": args.clock, "tessera_ms": mine * 1e3, "torch_ms": other * 1e3,
               "ratio": other / mine, "torch_polar": best, "torch_blas_gflops_1024": blas,
               "torch": torch.__version__, "python": sys.executable,
               "blas": next((line.strip() for line in torch.__config__.show().splitlines() if "BLAS" in line),
                            "unknown").strip(" -"),
               "machine": platform.processor() or platform.machine(), "date": time.strftime("%Y-%m-%d")}
    print(f"\nautograd STE step, batch {BATCH}, 1 thread, {args.clock} clock: tessera {mine * 1e3:.4f} ms, "
          f"PyTorch {torch.__version__} {other * 1e3:.4f} ms, ratio {figures['ratio']:.2f}x")
    print(f"PyTorch's BLAS does a 1024^3 product at {blas:.0f} GFLOP/s ({figures['blas'][:60]})")
    if args.json:
        json.dump(figures, open(args.json, "w"), indent=1)


if __name__ == "__main__":
    main()
