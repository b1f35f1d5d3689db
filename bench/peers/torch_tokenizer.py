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
import json
import math
import platform
import resource
import statistics
import sys
import time

from interpreter import run_with
from timing import area_on, bench_cases, parsed, peer_parser, seconds_of, share_of_peak, share_text, use_device

parser = peer_parser(__doc__, seconds=3.0)
parser.add_argument("--model", default="P", choices=["P", "S"])
parser.add_argument("--reference-like", action="store_true")
parser.add_argument("--forms", action="store_true", help="measure the peer's forms and end")
args = parsed(parser)
try:
    import torch
except ImportError:
    run_with("torch")
from torch.nn import functional as F

from tokenizer_model import FASTEST, FORMS, WEIGHTS, Fast, Peer, correlation

BATCH = 1024


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
            normal = F.normalize(e[torch.randperm(len(e), device=e.device)[:64]], dim=1)
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
    return statistics.median(seconds_of(run, seconds, args.clock, args.device))


def fastest_form(model):
    """Measured on a GPU; on a CPU --forms has shown it."""
    if args.device == "cpu":
        return FASTEST
    return min(FORMS, key=lambda form: timed(Fast(model, form).step, 0.3))


def main():
    torch.set_num_threads(args.threads)
    use_device(torch, args.device)
    model = model_p() if args.model == "P" else model_s()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if args.forms:
        for form in FORMS:
            print(f"{form[0].__name__}, padded {form[1]}: {timed(Fast(model, form).step, args.seconds) * 1e3:.1f} ms")
        return
    with torch.device(args.device):
        peer = ReferenceLike(model) if args.reference_like else Fast(model, fastest_form(model))
        a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    peer.train()
    blas = 2 * 1024**3 / timed(lambda: a @ b, 0.5) / 1e9
    made = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tessera, peers, cases = [], [], []
    for turn in range(args.turns):
        case = bench_cases(args.program, f"{area_on('tokenizer_step', args.device)}/{args.model}/batch",
                           args.threads, args.seconds, args.clock)[0]
        cases.append(case)
        tessera.append(case["seconds_median"])
        peers.append(timed(peer.step, args.seconds))
        print(f"turn {turn + 1}: tessera {tessera[-1] * 1e3:.2f} ms{share_text(share_of_peak([case]))}, "
              f"PyTorch {peers[-1] * 1e3:.2f} ms", flush=True)
    note = case["note"]
    mine, other = statistics.median(tessera), statistics.median(peers)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - made) / 1024
    figures = {
        "model": args.model, "threads": args.threads, "device": args.device, "reference_like": args.reference_like,
        "clock": args.clock, "tessera_ms": mine * 1e3, "torch_ms": other * 1e3, "ratio": other / mine,
        "tessera_peak_share": share_of_peak(cases), "tessera_note": note,
        "torch_parameters": sum(p.numel() for p in peer.parameters()),
        "torch_process_mib_before_model": before / 1024, "torch_grown_mib_while_stepping": grown,
        "torch_blas_gflops_1024": blas, "torch": torch.__version__, "python": sys.executable,
        "machine": platform.processor() or platform.machine(), "date": time.strftime("%Y-%m-%d"),
    }
    how = " as the reference" if args.reference_like else ""
    how += ", eager" if args.device == "cuda" else ""
    print(f"\ntessera: {note}; PyTorch: {figures['torch_parameters']} parameters, the process grew by "
          f"{grown:.0f} MiB while stepping; a 1024^3 product at {blas:.0f} GFLOP/s")
    print(f"tokenizer {args.model}, batch {BATCH}, {args.device}, {args.threads} thread(s): tessera {mine * 1e3:.2f} ms"
          f"{share_text(figures['tessera_peak_share'])}, PyTorch {torch.__version__}{how} {other * 1e3:.2f} ms, "
          f"ratio {other / mine:.2f}x")
    if args.json:
        json.dump(figures, open(args.json, "w"), indent=1)


if __name__ == "__main__":
    main()
