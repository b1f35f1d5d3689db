#!/usr/bin/env python3
"""The training step of a tokenizer with encoders of grids and series in PyTorch and in tessera, in one call.

    python3 bench/peers/torch_encoder_step.py [--ragged] [--threads 1] [--clock wall|thread] [--json FILE]

The model of bench/encoder_step_bench.cpp: 64 samples with a 64 x 64 grid through a ResNet of three blocks, a
series of 256 x 24 through another at four rates, a head for each, then the tokenizer on their 462 outputs,
every loss, backward, clipping, Adam, running averages of the codebooks. Both are measured in turns; medians
and their ratio are printed.

The peer is written for speed: the fastest of the layouts and forms of distances that a short trial of all
finds (printed), levels of the pyramid through the shared network one after another, no synchronisation, fused
Adam. --ragged: lengths are drawn from 16, 32, ... 256; the peer pads to 256 and masks, as PyTorch has no
ragged convolution.
"""
import json
import platform
import statistics
import time

from interpreter import run_with
from timing import area_on, bench_cases, parsed, peer_parser, seconds_of, share_of_peak, share_text, use_device

parser = peer_parser(__doc__, seconds=3.0)
parser.add_argument("--ragged", action="store_true")
parser.add_argument("--trial", type=float, default=0.5,
                    help="seconds for each form of the peer; 0: distances by cdist, channels last")
args = parsed(parser)
try:
    import torch
except ImportError:
    run_with("torch")
from torch import nn
from torch.nn import functional as F

from tokenizer_model import FORMS, Fast

BATCH, ROWS = 64, 1024
MANUAL, GRID, GRID_DIM = 14, 64, 128
STEPS, SERIES, LENGTHS = 256, 24, (16, 32, 64, 128, 256)
LEVEL_DIMS, FACTORS = (32, 64, 96, 128), (1, 2, 4, 8)
FEATURES, CATEGORIES = MANUAL + GRID_DIM + sum(LEVEL_DIMS), 8
WIDTHS = (32, 64, 128, 256)


def tokenizer():
    starts = [k * FEATURES // CATEGORIES for k in range(CATEGORIES + 1)]
    return dict(features=[b - a for a, b in zip(starts, starts[1:])],
                levels=[[(32, 128), (16, 256), (8, 512)]] * CATEGORIES, hidden=128, embedding=64)


class Layers:
    """Windows of grids, of series, and of series that are stored as grids of height 1."""

    def __init__(self, series, channels_last):
        self.flat = series and channels_last
        self.one = series and not channels_last

    def conv(self, channels, out, size, stride):
        if self.one:
            return nn.Conv1d(channels, out, size, stride, size // 2, bias=False)
        if self.flat:
            return nn.Conv2d(channels, out, (1, size), (1, stride), (0, size // 2), bias=False)
        return nn.Conv2d(channels, out, size, stride, size // 2, bias=False)

    def norm(self, channels):
        return (nn.BatchNorm1d if self.one else nn.BatchNorm2d)(channels)

    def pool(self):
        if self.one:
            return nn.MaxPool1d(3, 2, 1)
        return nn.MaxPool2d((1, 3), (1, 2), (0, 1)) if self.flat else nn.MaxPool2d(3, 2, 1)


class Block(nn.Module):
    def __init__(self, layers, channels, out):
        super().__init__()
        self.first, self.first_norm = layers.conv(channels, out, 3, 2), layers.norm(out)
        self.second, self.second_norm = layers.conv(out, out, 3, 1), layers.norm(out)
        self.skip, self.skip_norm = layers.conv(channels, out, 1, 2), layers.norm(out)

    def forward(self, x):
        y = F.relu(self.first_norm(self.first(x)), inplace=True)
        y = self.second_norm(self.second(y))
        return F.relu(y.add_(self.skip_norm(self.skip(x))), inplace=True)


class ResNet3(nn.Module):
    def __init__(self, layers, channels):
        super().__init__()
        # ReLU after the pooling gives the same as before it, on fewer elements.
        self.layers = nn.Sequential(layers.conv(channels, WIDTHS[0], 7, 2), layers.norm(WIDTHS[0]), layers.pool(),
                                    nn.ReLU(inplace=True),
                                    *[Block(layers, a, b) for a, b in zip(WIDTHS, WIDTHS[1:])])

    def forward(self, x, mask=None):
        y = self.layers(x).flatten(2)
        if mask is None:
            return y.mean(-1)
        mask = mask[..., ::2 ** 5]
        return (y * mask).sum(-1) / mask.sum(-1)


def head(out):
    return nn.Sequential(nn.Linear(WIDTHS[-1], out), nn.BatchNorm1d(out))


class EncoderPeer(Fast):
    def __init__(self, form, channels_last):
        super().__init__(tokenizer(), form, BATCH)
        self.channels_last = channels_last
        self.grid_cnn, self.grid_head = ResNet3(Layers(False, channels_last), 1), head(GRID_DIM)
        self.series_cnn = ResNet3(Layers(True, channels_last), SERIES)
        self.level_heads = nn.ModuleList([head(dim) for dim in LEVEL_DIMS])
        if channels_last:
            self.grid_cnn.to(memory_format=torch.channels_last)
            self.series_cnn.to(memory_format=torch.channels_last)
        self.adam = torch.optim.Adam(self.parameters(), lr=1e-3, fused=True)
        self.manual = self.data[:ROWS, :MANUAL]
        self.grids = torch.randn(ROWS, 1, GRID, GRID)
        # As the layout wants them, so that no step turns them over.
        self.series = torch.randn(ROWS, 1, STEPS, SERIES) if channels_last else torch.randn(ROWS, SERIES, STEPS)
        self.lengths = torch.tensor(LENGTHS)

    def batch(self):
        device = self.data.device
        rows = torch.randint(ROWS, (BATCH,), device=device)
        series = self.series[rows]
        if self.channels_last:
            series = series.permute(0, 3, 1, 2)
        mask = None
        if args.ragged:
            lengths = self.lengths[torch.randint(len(LENGTHS), (BATCH,), device=device)]
            mask = (torch.arange(STEPS, device=device) < lengths[:, None]).float()[:, None]
            series = series * (mask[:, :, None] if self.channels_last else mask)
        parts = [self.manual[rows], self.grid_head(self.grid_cnn(self.grids[rows]))]
        for factor, level in zip(FACTORS, self.level_heads):
            parts.append(level(self.series_cnn(self.shorter(series, factor),
                                               mask if mask is None else mask[..., ::factor])))
        return torch.cat(parts, -1)

    def shorter(self, series, factor):
        if factor == 1:
            return series
        return F.avg_pool2d(series, (1, factor)) if self.channels_last else F.avg_pool1d(series, factor)


def timed(run, seconds):
    return statistics.median(seconds_of(run, seconds, args.clock, args.device))


def fastest():
    """A peer of the fastest form, and what each takes."""
    trials = {}
    forms = [(form, layout) for form in FORMS for layout in (False, True)] if args.trial else [(FORMS[0], True)]
    for form, channels_last in forms:
        with torch.device(args.device):
            peer = EncoderPeer(form, channels_last).train()
        seconds = timed(peer.step, args.trial) if args.trial else 0
        trials[form[0].__name__, form[1], channels_last] = (seconds, peer)
    for (distances, padded, channels_last), (seconds, _) in trials.items() if args.trial else ():
        print(f"  trial: {distances}, padded {padded}, channels_last {channels_last}: {seconds * 1e3:.1f} ms")
    name = min(trials, key=lambda key: trials[key][0])
    return name, trials[name][1]


def main():
    torch.set_num_threads(args.threads)
    use_device(torch, args.device)
    assert torch.get_num_threads() == args.threads
    capability = "GPU"
    if args.device == "cpu":
        assert torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled, "PyTorch has no oneDNN"
        capability = torch.backends.cpu.get_cpu_capability()
        with open("/proc/cpuinfo") as file:
            assert "avx512f" not in file.read() or capability.startswith("AVX512"), f"PyTorch runs as {capability}"
    with torch.device(args.device):
        a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    blas = 2 * 1024**3 / timed(lambda: a @ b, 0.5) / 1e9
    print(f"PyTorch {torch.__version__}, {capability}, {'MKL' if torch.backends.mkl.is_available() else 'no MKL'}, "
          f"oneDNN, {args.threads} thread(s): a 1024^3 product at {blas:.0f} GFLOP/s")
    form, peer = fastest()
    variant = "ragged" if args.ragged else "fixed"
    tessera, peers, cases = [], [], []
    for turn in range(args.turns):
        case = bench_cases(args.program, f"{area_on('encoder_step', args.device)}/{variant}", args.threads,
                           args.seconds, args.clock)[0]
        cases.append(case)
        tessera.append(case["seconds_median"])
        peers.append(timed(peer.step, args.seconds))
        print(f"turn {turn + 1}: tessera {tessera[-1] * 1e3:.1f} ms{share_text(share_of_peak([case]))}, "
              f"PyTorch {peers[-1] * 1e3:.1f} ms", flush=True)
    note = case["note"]
    mine, other = statistics.median(tessera), statistics.median(peers)
    print(f"\ntessera: {note}; PyTorch: {sum(p.numel() for p in peer.parameters())} parameters, {form}")
    print(f"encoder step, {variant}, batch {BATCH}, {args.device}, {args.threads} thread(s): tessera {mine * 1e3:.1f} ms"
          f"{share_text(share_of_peak(cases))}, PyTorch{', eager' if args.device == 'cuda' else ''} {other * 1e3:.1f} ms, "
          f"ratio {other / mine:.2f}x")
    if args.json:
        json.dump({"variant": variant, "threads": args.threads, "clock": args.clock, "tessera_ms": mine * 1e3,
                   "torch_ms": other * 1e3, "ratio": other / mine, "tessera_peak_share": share_of_peak(cases), "device": args.device,
                   "tessera_note": note, "torch_form": list(form), "torch_blas_gflops_1024": blas,
                   "torch": torch.__version__, "cpu_capability": capability,
                   "machine": platform.processor() or platform.machine(), "date": time.strftime("%Y-%m-%d")},
                  open(args.json, "w"), indent=1)


if __name__ == "__main__":
    main()
