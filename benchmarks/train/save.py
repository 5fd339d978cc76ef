"""`lathe retrain save` of ResNet-50 and what training saved, beside torch.load and torch.save of the checkpoint.

    python benchmarks/train/save.py LATHE WORK_FOLDER [--rounds 3]

Interleaved rounds; the shortest time of each counts. torch's time is that of the two calls, without its import.
PYTHONPATH names the folder that holds the package lathe.
"""
import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
from measure import in_child, measure  # noqa: E402

LOAD_AND_SAVE = """
import sys, time, torch
start = time.perf_counter()
torch.save(torch.load(sys.argv[1]), sys.argv[2])
print(time.perf_counter() - start)
"""


def make(work):
    import torch
    from resnet import ResNet

    import lathe.amct_pytorch as amct
    import lathe.torch

    net, data = ResNet().eval(), torch.randn(1, 3, 64, 64)
    lathe.torch.to_onnx(net, data, work / "net.onnx")
    config = str(work / "config.json")
    amct.create_quant_retrain_config(config, net, data)
    trained = amct.create_quant_retrain_model(config, net, str(work / "record.txt"), data)
    with torch.no_grad():
        trained(data)
    torch.save({"state_dict": trained.state_dict()}, work / "trained.pth")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lathe")
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    work = options.work
    work.mkdir(parents=True, exist_ok=True)
    if not (work / "trained.pth").exists():
        in_child(make, work)
    checkpoint = work / "trained.pth"
    size = checkpoint.stat().st_size
    ours = [options.lathe, "--threads", 2, "retrain", "save", work / "net.onnx", "--config", work / "config.json",
            "--checkpoint", checkpoint, "--state-dict-name", "state_dict", "-o", work / "out/net"]  # fmt: skip
    torchs = [sys.executable, "-c", LOAD_AND_SAVE, checkpoint, work / "again.pth"]
    best = {"lathe retrain save": (float("inf"), 0), "torch.load and torch.save": (float("inf"), 0)}
    for _ in range(options.rounds):
        seconds, peak, _ = measure(ours)
        best["lathe retrain save"] = min(seconds, best["lathe retrain save"][0]), peak
        _, peak, text = measure(torchs)
        best["torch.load and torch.save"] = min(float(text), best["torch.load and torch.save"][0]), peak
    base = best["torch.load and torch.save"][0]
    print(f"checkpoint: {size / 1e6:.0f} MB\n")
    print("| | time | peak memory | time / torch | memory / checkpoint |\n| --- | ---: | ---: | ---: | ---: |")
    for name, (seconds, peak) in best.items():
        print(f"| {name} | {seconds:.2f} s | {peak / 1e6:.0f} MB | {seconds / base:.2f} | {peak / size:.2f} |")


main()
