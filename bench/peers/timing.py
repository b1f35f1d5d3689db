"""Measuring a peer as tessera_bench measures its own cases, and running tessera_bench beside it."""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

CLOCKS = {"wall": time.perf_counter, "thread": time.thread_time, "process": time.process_time}
RUNS_ON_GPU = 20  # a GPU works ahead of the host: as often before one wait, as in bench/gpu.h


def peer_parser(doc, seconds):
    """Options that the scripts share; `seconds` of measuring by default."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--program", default="build/bench/tessera_bench")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=seconds, help="of each measurement")
    parser.add_argument("--clock", default="wall", choices=["wall", "thread"],
                        help="thread: processor time, for one thread on a machine with other work")
    parser.add_argument("--json", help="write the figures to this file")
    return parser


def parsed(parser):
    """The arguments. The peer's libraries, which are imported after it, keep to the threads they name."""
    args = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(args.threads)
    return args


def seconds_of(run, seconds, clock="wall", device="cpu", warm_up=2, least=5):
    """Seconds of one call of `run`, for each of the measurements that fit into `seconds`, at least `least`."""
    repeats, wait = 1, lambda: None
    if device == "cuda":
        import torch
        repeats, wait = RUNS_ON_GPU, torch.cuda.synchronize
    now = CLOCKS[clock]
    for _ in range(warm_up):
        run()
    wait()
    found, end = [], now() + seconds
    while now() < end or len(found) < least:
        start = now()
        for _ in range(repeats):
            run()
        wait()
        found.append((now() - start) / repeats)
    return found


def area_on(area, device):
    """First part of the names of tessera_bench's cases on a device."""
    return area + "_cuda" if device == "cuda" else area


def bench_cases(program, name, threads, seconds, clock="wall"):
    """What tessera_bench measures of the cases with `name` in theirs. Ends the script where one is wrong."""
    script = os.path.basename(sys.argv[0])
    if not os.access(program, os.X_OK):
        sys.exit(f"{script}: {program} is not there; build it with tools/test.sh, or name it with --program")
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        command = [program, "--filter", name, "--threads", str(threads), "--seconds", str(seconds),
                   "--clock", clock, "--json", file.name]
        done = subprocess.run(command, capture_output=True, text=True)
        text = file.read()
    if not text:
        sys.exit(f"{script}: tessera_bench ended with {done.returncode}: {done.stderr.strip()}")
    cases = json.loads(text)["cases"]
    for case in cases:
        if "error" in case:
            sys.exit(f"{script}: tessera's {case['name']} is wrong: {case['error']}")
    return cases


def share_of_peak(cases):
    """Median share of the CPU's FMA peak over turns; nothing for cases on a GPU."""
    shares = [case["share_of_peak"] for case in cases if "share_of_peak" in case]
    return statistics.median(shares) if shares else None


def share_text(share):
    return "" if share is None else f" ({share:.0%} of the FMA peak)"


def use_device(torch, device):
    """Ends the script with 77 where PyTorch has no such device. Products and convolutions are plain float32, as
    tessera's. What a peer is made of is made under `with torch.device(device)`; within a step each call names the
    device, as the context would cost every call."""
    if device == "cuda" and not torch.cuda.is_available():
        print(f"PyTorch {torch.__version__} has no CUDA device")
        sys.exit(77)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True


def counted(torch, codes, size):
    """How often each code is in `codes`. bincount reads its bounds back, so on a GPU it waits."""
    if codes.device.type == "cpu":
        return torch.bincount(codes, minlength=size).float()
    return torch.zeros(size, device=codes.device).index_add_(0, codes, torch.ones(len(codes), device=codes.device))
