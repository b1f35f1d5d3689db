#!/usr/bin/env python3
"""The training step of the categorical tokenizer in PyTorch and in tessera, batch 1024, in one call.

    python3 bench/peers/torch_tokenizer.py [--model P|S] [--threads 1] [--reference-like] [--json FILE]

Same sizes (bench/tokenizer_models.h), same work: every layer, exact nearest codes, the losses of
bench/tokenizer_step_bench.cpp, backward, clipping, Adam, running averages of the codebooks. Both are
measured in turns; medians and their ratio are printed, and both peaks of memory.

The peer is written as one would write it for speed: partial decoders over their own columns, layers of
equal sizes in one batched product, distances in the form that is fastest (--forms measures four), no
synchronisation, fused Adam. --reference-like computes as the customer's
reference does: partial decoders over all columns, a loop over quantizers with one-hot products, and
codes' orthogonality code by code without a gradient.
"""
import argparse
import json
import math
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time

from interpreter import run_with


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--program", default="build/bench/tessera_bench")
    parser.add_argument("--model", default="P", choices=["P", "S"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="of measuring, each turn and side")
    parser.add_argument("--clock", default="wall", choices=["wall", "thread"],
                        help="thread: processor time, for one thread on a machine with other work")
    parser.add_argument("--reference-like", action="store_true")
    parser.add_argument("--forms", action="store_true", help="measure the peer's forms and end")
    parser.add_argument("--json", help="write the figures to this file")
    return parser.parse_args()


args = arguments()
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = str(args.threads)
try:
    import torch
except ImportError:
    run_with("torch")
from torch.nn import functional as F

BATCH, ROWS, DECAY, EPSILON, DROPOUT = 1024, 8192, 0.99, 1e-5, 0.1
WEIGHTS = {"commitment": 0.25, "informativeness": 0.1, "orthogonality": 0.1, "topographic": 0.3}


def model_p():
    """Widths and sizes by the rules of include/tessera/level_sizes.h, uniform codebooks."""
    features = [16, 33, 9, 5, 13, 17, 19, 16, 5, 14, 16, 24]
    levels = []
    for n in features:
        size = max(4 * (int(7 * math.log2(n)) // 4), min(28, max(5, int(4.8 * math.sqrt(10)))))
        levels.append([(max(4, 4 * math.ceil(n * r / 4)), size) for r in (0.31, 0.84, 1.91)])
    return dict(features=features, levels=levels, hidden=512, embedding=256)


def model_s():
    features = [(k + 1) * 512 // 12 - k * 512 // 12 for k in range(12)]
    return dict(features=features, levels=[[(32, 128), (16, 256), (8, 512)]] * 12, hidden=128, embedding=64)


def correlation(a, b):
    a, b = a - a.mean(), b - b.mean()
    return (a * b).sum() / (a.norm() * b.norm() + 1e-8)


def gram_distances(z):
    """cdist by one product whose gradient is two; 0 where rows are equal up to rounding."""
    square = z.square().sum(-1)
    return (square.unsqueeze(-1) + square.unsqueeze(-2) - 2 * z @ z.transpose(-1, -2)).clamp_min(1e-12).sqrt()


def cdist(z):
    return torch.cdist(z, z)


# How distances are computed, and whether codebooks of all sizes are padded to one batch for them.
FORMS = [(cdist, False), (cdist, True), (gram_distances, False), (gram_distances, True)]
FASTEST = (cdist, False)


def chosen(latents, codebook):
    """Nearest codes of [.., rows, d] in [.., codes, d]."""
    scores = codebook.square().sum(-1).unsqueeze(-2) - 2 * latents @ codebook.transpose(-1, -2)
    return scores.argmin(-1)


class Peer(torch.nn.Module):
    """Common to both forms: parameters, encoder, the shared decoder, Adam."""

    def __init__(self, model, own_columns):
        super().__init__()
        torch.manual_seed(0)
        linear = torch.nn.Linear
        self.features, self.levels = model["features"], model["levels"]
        hidden, embedding, total = model["hidden"], model["embedding"], sum(self.features)
        self.first = [linear(n, hidden) for n in self.features]
        # Layers of one size for all categories: one batched product.
        self.second = torch.nn.Parameter(torch.empty(len(self.features), hidden, embedding))
        self.second_bias = torch.nn.Parameter(torch.zeros(len(self.features), 1, embedding))
        torch.nn.init.kaiming_uniform_(self.second, a=math.sqrt(5))
        self.norm_gain = torch.nn.Parameter(torch.ones(len(self.features), 1, embedding))
        self.norm_shift = torch.nn.Parameter(torch.zeros(len(self.features), 1, embedding))
        self.dims = [d for levels in self.levels for d, _ in levels]
        self.sizes = [c for levels in self.levels for _, c in levels]
        self.heads = [linear(embedding, sum(d for d, _ in levels)) for levels in self.levels]
        self.norms = [torch.nn.LayerNorm(d) for d in self.dims]
        self.decoder = torch.nn.Sequential(linear(sum(self.dims), 256), torch.nn.ReLU(),
                                           torch.nn.Dropout(DROPOUT), linear(256, total))
        columns = [n if own_columns else total for n in self.features for _ in range(3)]
        self.parts = [torch.nn.Sequential(linear(d, 128), torch.nn.ReLU(), linear(128, n))
                      for d, n in zip(self.dims, columns)]
        for i, module in enumerate(self.first + self.heads + self.norms + self.parts):
            self.add_module(f"module{i}", module)
        starts = [0]
        for n in self.features:
            starts.append(starts[-1] + n)
        self.columns = [slice(a, b) for a, b in zip(starts, starts[1:])]
        self.books = [torch.randn(c, d) for c, d in zip(self.sizes, self.dims)]
        self.counts = [torch.full((c,), BATCH / c) for c in self.sizes]
        self.sums = [n[:, None] * e for n, e in zip(self.counts, self.books)]
        factors = torch.rand(ROWS, 12, 3) * 2 - 1
        mix = torch.rand(total, 3) * 2 - 1
        own = torch.repeat_interleave(torch.arange(12), torch.tensor(self.features))
        self.data = (factors[:, own] * mix).sum(-1) + 0.3 * (torch.rand(ROWS, total) * 2 - 1)
        self.adam = torch.optim.Adam(self.parameters(), lr=1e-3, fused=True)

    def encode(self, x):
        h = torch.stack([layer(x[:, c]) for layer, c in zip(self.first, self.columns)])
        e = torch.baddbmm(self.second_bias, F.dropout(F.relu(h), DROPOUT), self.second)
        e = F.layer_norm(e, e.shape[-1:]) * self.norm_gain + self.norm_shift
        latents = []
        for k, levels in enumerate(self.levels):
            parts = F.dropout(self.heads[k](e[k]), DROPOUT).split([d for d, _ in levels], -1)
            latents += [self.norms[3 * k + i](part) for i, part in enumerate(parts)]
        return latents

    def smooth(self, q, counts, sums):
        """One running average and the codes it gives (van den Oord et al. 2017, appendix A.1)."""
        self.counts[q].mul_(DECAY).add_(counts, alpha=1 - DECAY)
        self.sums[q].mul_(DECAY).add_(sums, alpha=1 - DECAY)
        total = self.counts[q].sum()
        smoothed = (self.counts[q] + EPSILON) / (total + self.sizes[q] * EPSILON) * total
        self.books[q] = self.sums[q] / smoothed[:, None]

    def step(self):
        x = self.data[torch.randint(ROWS, (BATCH,))]
        loss = self.loss(x)
        self.adam.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters(), 1.0, foreach=True)
        self.adam.step()
        self.update()


class Fast(Peer):
    def __init__(self, model, form=FASTEST):
        super().__init__(model, own_columns=True)
        self.distances, self.padded = form

    def padded_stack(self, parts):
        """[quantizers, rows, widest]; columns of 0 change no distance."""
        widest = max(self.dims)
        return torch.stack([F.pad(part, (0, widest - part.shape[-1])) for part in parts])

    def mean_distances(self, parts):
        if self.padded:
            return self.distances(self.padded_stack(parts)).mean(0)
        total = self.distances(parts[0])
        for part in parts[1:]:
            total = total + self.distances(part)
        return total / len(parts)

    def loss(self, x):
        latents = self.encode(x)
        with torch.no_grad():
            self.codes = [chosen(z, e) for z, e in zip(latents, self.books)]
            hard = [e[c] for e, c in zip(self.books, self.codes)]
        self.latents = [z.detach() for z in latents]
        passed = [z + (q - z).detach() for z, q in zip(latents, hard)]
        loss = F.mse_loss(self.decoder(torch.cat(passed, -1)), x)
        commitment = sum(F.mse_loss(z, q) for z, q in zip(latents, hard)) / len(hard)
        partial = sum(F.mse_loss(part(q), x[:, self.columns[i // 3]], reduction="sum")
                      for i, (part, q) in enumerate(zip(self.parts, passed)))
        with torch.no_grad():
            normal = [F.normalize(e, dim=-1) for e in self.books]
            squares = [(e @ e.t()).square() for e in normal]
            orthogonality = sum((s.sum() - s.diagonal().sum()) / (len(s) * (len(s) - 1))
                                for s in squares) / len(squares)
        between = self.mean_distances(latents)
        pre = correlation(cdist(x), between)
        post = correlation(between, self.mean_distances(passed))
        return (loss + WEIGHTS["commitment"] * commitment
                + WEIGHTS["informativeness"] * partial / (3 * x.numel())
                + WEIGHTS["orthogonality"] * orthogonality
                + WEIGHTS["topographic"] * (0.3 * (1 - pre) + 0.7 * (1 - post)))

    @torch.no_grad()
    def update(self):
        for q, (codes, z) in enumerate(zip(self.codes, self.latents)):
            sums = torch.zeros_like(self.sums[q]).index_add_(0, codes, z)
            self.smooth(q, torch.bincount(codes, minlength=self.sizes[q]).float(), sums)


class ReferenceLike(Peer):
    def __init__(self, model):
        super().__init__(model, own_columns=False)

    def loss(self, x):
        latents = self.encode(x)
        self.hot, self.latents, passed, vq = [], [], [], 0
        for z, e in zip(latents, self.books):
            distances = z.square().sum(1, keepdim=True) + e.square().sum(1) - 2 * z @ e.t()
            hot = F.one_hot(distances.argmin(1), len(e)).float()
            q = hot @ e
            vq = vq + F.mse_loss(q.detach(), z) + 0.25 * F.mse_loss(q, z.detach())
            self.hot.append(hot)
            self.latents.append(z.detach())
            passed.append(z + (q - z).detach())
        loss = F.mse_loss(self.decoder(torch.cat(passed, -1)), x) + vq
        partial = sum(F.mse_loss(part(q), x) for part, q in zip(self.parts, passed)) / len(passed)
        orthogonality = 0
        for e in self.books:
            normal = F.normalize(e[torch.randperm(len(e))[:64]], dim=1)
            total = 0.0
            for i in range(len(normal)):
                cosines = normal @ normal[i]
                cosines[i] = 0
                total += cosines.square().sum().item()
            orthogonality += total / (len(normal) * (len(normal) - 1))
        mean = [sum(torch.cdist(z, z) for z in zs) / len(zs) for zs in (latents, passed)]
        pre, post = correlation(torch.cdist(x, x), mean[0]), correlation(*mean)
        return (loss + WEIGHTS["informativeness"] * partial
                + WEIGHTS["orthogonality"] * orthogonality / len(self.books)
                + WEIGHTS["topographic"] * (0.3 * (1 - pre) + 0.7 * (1 - post)))

    @torch.no_grad()
    def update(self):
        for q, (hot, z) in enumerate(zip(self.hot, self.latents)):
            self.smooth(q, hot.sum(0), hot.t() @ z)


def timed(run, seconds):
    clock = time.thread_time if args.clock == "thread" else time.perf_counter
    for _ in range(2):
        run()
    times, end = [], clock() + seconds
    while clock() < end or len(times) < 5:
        start = clock()
        run()
        times.append(clock() - start)
    return statistics.median(times)


def ours():
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        command = [args.program, "--filter", f"tokenizer_step/{args.model}/batch", "--threads",
                   str(args.threads), "--seconds", str(args.seconds), "--clock", args.clock,
                   "--json", file.name]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return json.load(open(file.name))["cases"][0]


def main():
    torch.set_num_threads(args.threads)
    model = model_p() if args.model == "P" else model_s()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if args.forms:
        for form in FORMS:
            print(f"{form[0].__name__}, padded {form[1]}: {timed(Fast(model, form).step, args.seconds) * 1e3:.1f} ms")
        return
    if not os.access(args.program, os.X_OK):
        sys.exit(f"torch_tokenizer.py: {args.program} is not there; build it with tools/test.sh, or name it with --program")
    peer = ReferenceLike(model) if args.reference_like else Fast(model)
    peer.train()
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    blas = 2 * 1024**3 / timed(lambda: a @ b, 0.5) / 1e9
    made = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tessera, peers, peaks, note = [], [], [], ""
    for turn in range(args.turns):
        case = ours()
        note = case["note"]
        tessera.append(case["seconds_median"])
        peaks.append(case["share_of_peak"])
        peers.append(timed(peer.step, args.seconds))
        print(f"turn {turn + 1}: tessera {tessera[-1] * 1e3:.1f} ms ({peaks[-1]:.0%} of the FMA peak), "
              f"PyTorch {peers[-1] * 1e3:.1f} ms", flush=True)
    mine, other = statistics.median(tessera), statistics.median(peers)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - made) / 1024
    figures = {
        "model": args.model, "threads": args.threads, "reference_like": args.reference_like,
        "clock": args.clock, "tessera_ms": mine * 1e3, "torch_ms": other * 1e3, "ratio": other / mine,
        "tessera_peak_share": statistics.median(peaks), "tessera_note": note,
        "torch_parameters": sum(p.numel() for p in peer.parameters()),
        "torch_process_mib_before_model": before / 1024, "torch_grown_mib_while_stepping": grown,
        "torch_blas_gflops_1024": blas, "torch": torch.__version__, "python": sys.executable,
        "machine": platform.processor() or platform.machine(), "date": time.strftime("%Y-%m-%d"),
    }
    print(f"\ntokenizer {args.model}, batch {BATCH}, {args.threads} thread(s): tessera {mine * 1e3:.1f} ms "
          f"({figures['tessera_peak_share']:.0%} of the FMA peak), PyTorch {torch.__version__}"
          f"{' as the reference' if args.reference_like else ''} {other * 1e3:.1f} ms, ratio {other / mine:.2f}x")
    print(f"tessera: {note}; PyTorch: {figures['torch_parameters']} parameters, the process grew by "
          f"{grown:.0f} MiB while stepping; its BLAS does a 1024^3 product at {blas:.0f} GFLOP/s")
    if args.json:
        json.dump(figures, open(args.json, "w"), indent=1)


if __name__ == "__main__":
    main()
