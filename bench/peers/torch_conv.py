#!/usr/bin/env python3
"""The convolutions of the encoders in PyTorch (oneDNN, or cuDNN with --device cuda) and in tessera, batch 64, in one call.

    python3 bench/peers/torch_conv.py [--program build/bench/tessera_bench] [--threads 1]
        [--device cpu|cuda] [--clock wall|thread] [--json FILE]

For each layer forward, input gradient and weight gradient together. PyTorch runs on the default
layout and on channels_last, and the faster one counts; a pyramid of series is one call for each
length, as PyTorch has no ragged batch. Both sides are measured in turns; the best of each counts,
and the geometric mean of tessera's time / PyTorch's ends the table. The first layers are shown a
second time without the input gradient, which no training asks for.
"""
import json
import math
import re

from interpreter import run_with
from timing import area_on, bench_cases, parsed, peer_parser, seconds_of, use_device

args = parsed(peer_parser(__doc__, seconds=0.1))
try:
    import torch
except ImportError:
    run_with("torch")

BATCH, LEVELS = 64, 4
PASSES = ("forward", "input_grad", "weight_grad")
LAYER = re.compile(r"conv(?:_cuda)?/(\d)d/k(\d+)s(\d+)p(\d+)/(\d+)x(\d+)to(\d+)/(\w+)")


def best(run):
    # The process: gradients may be computed in a thread of their own.
    clock = "process" if args.clock == "thread" else "wall"
    return min(seconds_of(run, args.seconds, clock, args.device, warm_up=3, least=7))


class Peer:
    """One layer's forward and gradients in one layout."""

    def __init__(self, shape, channels_last, input_grad):
        dimensions, length, stride, pad, size, channels, outputs = shape
        levels = LEVELS if dimensions == 1 else 1
        self.xs = []
        for level in range(levels):
            x = torch.randn(BATCH, channels, *[size >> level] * dimensions)
            # A series in channels-last memory is a grid of height 1.
            if channels_last and dimensions == 1:
                x = x[:, :, None]
            if channels_last:
                x = x.contiguous(memory_format=torch.channels_last)
            self.xs.append(x.requires_grad_(input_grad))
        kernel = [length] * dimensions
        strides, pads = [stride] * dimensions, [pad] * dimensions
        if channels_last and dimensions == 1:
            kernel, strides, pads = [1] + kernel, [1] + strides, [0] + pads
        self.weight = torch.randn(outputs, channels, *kernel)
        if channels_last:
            self.weight = self.weight.contiguous(memory_format=torch.channels_last)
        self.weight.requires_grad_(True)
        convolve = torch.nn.functional.conv1d if len(kernel) == 1 else torch.nn.functional.conv2d
        self.convolve = lambda x: convolve(x, self.weight, None, strides, pads)
        self.dys = [torch.randn_like(self.convolve(x)) for x in self.xs]
        self.asked = [[x, self.weight] if input_grad else [self.weight] for x in self.xs]

    def step(self):
        for x, dy, asked in zip(self.xs, self.dys, self.asked):
            torch.autograd.grad(self.convolve(x), asked, dy)


def ours():
    """Seconds and share of the FMA peak by layer and pass."""
    cases = bench_cases(args.program, area_on("conv", args.device) + "/", args.threads, args.seconds, args.clock)
    layers = {}
    for case in cases:
        *shape, what = LAYER.fullmatch(case["name"]).groups()
        layers.setdefault(tuple(int(n) for n in shape), {})[what] = case
    return layers


def main():
    torch.set_num_threads(args.threads)
    use_device(torch, args.device)
    torch.manual_seed(0)
    mine, shares, peers = {}, {}, {}
    for _ in range(args.turns):
        for shape, cases in ours().items():
            first_layer = shape[5] <= 24
            for what in PASSES:
                case = cases[what]
                key = (shape, what)
                if case["seconds_best"] < mine.get(key, math.inf):
                    mine[key], shares[key] = case["seconds_best"], case.get("share_of_peak_best")
            for input_grad in (True, False) if first_layer else (True,):
                for channels_last in (False, True):
                    with torch.device(args.device):
                        peer = Peer(shape, channels_last, input_grad)
                    seconds = best(peer.step)
                    key = (shape, input_grad)
                    peers[key] = min(peers.get(key, math.inf), seconds)
    print(f"batch {BATCH}, {args.device}, {args.threads} thread(s), PyTorch {torch.__version__}; milliseconds, best")
    print(f"{'layer':34}{'forward':>9}{'input':>9}{'weight':>9}{'tessera':>9}{'PyTorch':>9}{'ratio':>7}"
          + ("   share of the FMA peak" if args.device == "cpu" else ""))
    rows, ratios = [], []
    for (shape, input_grad), peer in peers.items():
        dimensions, length, stride, pad, size, channels, outputs = shape
        name = f"{dimensions}-D {size} k{length} s{stride} {channels} -> {outputs}"
        passes = [what for what in PASSES if input_grad or what != "input_grad"]
        seconds = sum(mine[shape, what] for what in passes)
        ratio = seconds / peer
        if input_grad:
            ratios.append(ratio)
        else:
            name += " (no input)"
        times = "".join(f"{mine[shape, what] * 1e3:9.3f}" if what in passes else f"{'-':>9}" for what in PASSES)
        share = " ".join(f"{shares[shape, what]:5.0%}" for what in passes if shares[shape, what])
        print(f"{name:34}{times}{seconds * 1e3:9.3f}{peer * 1e3:9.3f}{ratio:7.2f}   {share}", flush=True)
        rows.append({"layer": name, "tessera_ms": seconds * 1e3, "torch_ms": peer * 1e3, "ratio": ratio})
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
    print(f"geometric mean of the ratios, input gradients everywhere: {mean:.3f}; worst {max(ratios):.2f}")
    if args.json:
        json.dump({"device": args.device, "threads": args.threads, "torch": torch.__version__, "geometric_mean": mean,
                   "worst": max(ratios), "layers": rows}, open(args.json, "w"), indent=1)


if __name__ == "__main__":
    main()
