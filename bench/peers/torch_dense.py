#!/usr/bin/env python3
"""The dense VQ-VAE training step in PyTorch and in tessera, batch 256, in one call.

    python3 bench/peers/torch_dense.py [--program build/bench/tessera_bench] [--threads 1] [--json FILE]

Same sizes (784-256-128-64, 512 codes), same work: forward, exact nearest code, EMA codebook,
commitment loss, backward, Adam. Both are measured in turns; medians and their ratio are printed,
and beside them what the peer's BLAS reaches on this machine.
"""
import json
import platform
import statistics
import sys
import time

from interpreter import run_with
from timing import area_on, bench_cases, counted, parsed, peer_parser, seconds_of, share_of_peak, share_text, use_device

parser = peer_parser(__doc__, seconds=1.5)
parser.add_argument("--compile", action="store_true", help="the peer's step under torch.compile")
args = parsed(parser)
try:
    import torch
except ImportError:
    run_with("torch")

SIZES, CODES, BATCH, DECAY, EPSILON = [784, 256, 128, 64], 512, 256, 0.99, 1e-5


def mlp(sizes):
    layers = []
    for i, (fan_in, fan_out) in enumerate(zip(sizes, sizes[1:])):
        layers += [torch.nn.Linear(fan_in, fan_out)]
        if i + 2 < len(sizes):
            layers += [torch.nn.ReLU()]
    return torch.nn.Sequential(*layers)


class Peer:
    def __init__(self):
        torch.manual_seed(0)
        self.encoder, self.decoder = mlp(SIZES), mlp(SIZES[::-1])
        self.codebook = torch.randn(CODES, SIZES[-1])
        self.counts = torch.full((CODES,), BATCH / CODES)
        self.sums = self.codebook * self.counts[:, None]
        parameters = list(self.encoder.parameters()) + list(self.decoder.parameters())
        try:
            self.adam = torch.optim.Adam(parameters, lr=1e-4, fused=True)
        except (TypeError, RuntimeError):  # before 2.4 there is none for the CPU
            self.adam = torch.optim.Adam(parameters, lr=1e-4)
        self.data = (torch.rand(4096, SIZES[0]) * 255).to(torch.uint8)
        self.at = 0

    def step(self):
        rows = torch.randint(4096, (BATCH,), device=self.data.device)
        x = self.data[rows].float() / 255
        z = self.encoder(x)
        with torch.no_grad():
            scores = (self.codebook * self.codebook).sum(1) - 2 * z @ self.codebook.t()
            codes = scores.argmin(1)
            q = self.codebook[codes]
        reconstruction = self.decoder(z + (q - z).detach())
        loss = torch.nn.functional.mse_loss(reconstruction, x)
        loss = loss + 0.25 * torch.nn.functional.mse_loss(z, q)
        self.adam.zero_grad(set_to_none=True)
        loss.backward()
        self.adam.step()
        with torch.no_grad():
            counts = counted(torch, codes, CODES)
            sums = torch.zeros_like(self.sums).index_add_(0, codes, z.detach())
            self.counts.mul_(DECAY).add_(counts, alpha=1 - DECAY)
            self.sums.mul_(DECAY).add_(sums, alpha=1 - DECAY)
            total = self.counts.sum()
            smoothed = (self.counts + EPSILON) / (total + CODES * EPSILON) * total
            self.codebook = self.sums / smoothed[:, None]


def timed(run, seconds):
    return statistics.median(seconds_of(run, seconds, args.clock, args.device, warm_up=20))


def main():
    torch.set_num_threads(args.threads)
    use_device(torch, args.device)
    with torch.device(args.device):
        peer = Peer()
        a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    if args.compile:
        peer.step = torch.compile(peer.step)
    blas = 2 * 1024**3 / timed(lambda: a @ b, 0.5) / 1e9
    tessera, peers, cases = [], [], []
    for turn in range(args.turns):
        case = bench_cases(args.program, area_on("dense_step", args.device) + "/ema/straight_through",
                           args.threads, args.seconds, args.clock)[0]
        cases.append(case)
        tessera.append(case["seconds_median"])
        peers.append(timed(peer.step, args.seconds))
        print(f"turn {turn + 1}: tessera {tessera[-1] * 1e3:.3f} ms{share_text(share_of_peak([case]))}, "
              f"PyTorch {peers[-1] * 1e3:.3f} ms", flush=True)
    mine, other = statistics.median(tessera), statistics.median(peers)
    figures = {
        "threads": args.threads, "device": args.device, "compiled": args.compile, "tessera_ms": mine * 1e3, "torch_ms": other * 1e3,
        "ratio": other / mine, "tessera_peak_share": share_of_peak(cases),
        "torch_blas_gflops_1024": blas, "torch": torch.__version__, "python": sys.executable,
        "blas": next((line.strip() for line in torch.__config__.show().splitlines() if "BLAS" in line),
                     "unknown").strip(" -"),
        "machine": platform.processor() or platform.machine(), "date": time.strftime("%Y-%m-%d"),
    }
    how = ", compiled" if args.compile else ", eager" if args.device == "cuda" else ""
    print(f"\nPyTorch's 1024^3 product: {blas:.0f} GFLOP/s ({figures['blas'][:60] if args.device == 'cpu' else 'cuBLAS'})")
    print(f"dense step, batch {BATCH}, {args.device}, {args.threads} thread(s): tessera {mine * 1e3:.3f} ms"
          f"{share_text(figures['tessera_peak_share'])}, PyTorch {torch.__version__}{how} {other * 1e3:.3f} ms, "
          f"ratio {figures['ratio']:.2f}x")
    if args.json:
        json.dump(figures, open(args.json, "w"), indent=1)


if __name__ == "__main__":
    main()
