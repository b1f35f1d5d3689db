"""Measuring a peer as tessera_bench measures its own cases, and running tessera_bench beside it."""
import argparse
import json
import os
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
    """What tessera_bench measures of the cases with `name` in theirs."""
    if not os.access(program, os.X_OK):
        sys.exit(f"{os.path.basename(sys.argv[0])}: {program} is not there; build it with tools/test.sh, "
                 "or name it with --program")
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        command = [program, "--filter", name, "--threads", str(threads), "--seconds", str(seconds),
                   "--clock", clock, "--json", file.name]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return json.load(open(file.name))["cases"]


def share_of_peak(case):
    """Of the CPU's FMA peak, as text; nothing for a case on a GPU."""
    return f" ({case['share_of_peak']:.0%} of the FMA peak)" if "share_of_peak" in case else ""


def use_device(torch, device):
    """Tensors are made there from now on; products and convolutions are plain float32, as tessera's."""
    torch.set_default_device(device)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
