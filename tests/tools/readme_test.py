"""The sessions that README shows are what really comes out."""
import json
import pathlib
import re
import subprocess
import sys

from driver import *

SOURCE = pathlib.Path(__file__).resolve().parents[2]
README = (SOURCE / "README.md").read_text(encoding="utf-8")
# Two of the 599 held-out images: another processor may round otherwise.
SLACK = 0.35


def sessions():
    """[(command, output)] of every code block that has lines with a prompt."""
    found = []
    for block in re.findall(r"```\n(\$ .*?)```", README, re.DOTALL):
        for part in re.split(r"^\$ ", block.replace("\\\n", ""), flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


def stable(line):
    """The line without what differs from run to run or from processor to processor."""
    line = re.sub(r"\d+\.\d s, [\d.]+ MB at the peak", "TIME AND MEMORY", line)
    return re.sub(r"[\d.]+ dB", "SQNR", line)


class Readme(DriverTest):
    def setUp(self):
        super().setUp()
        (self.folder / "build/bin").mkdir(parents=True)
        (self.folder / "build/bin/lathe").symlink_to(LATHE)
        (self.folder / "examples").symlink_to(SOURCE / "examples")
        data = self.folder / "build/quickstart/data"
        subprocess.run([sys.executable, SOURCE / "examples/digits/data.py", data], check=True)

    def same(self, want, got, place):
        percents = [[float(each) for each in re.findall(r"([\d.]+) %", text)] for text in (want, got)]
        self.assertEqual(len(percents[0]), len(percents[1]), place)
        for one, other in zip(*percents):
            self.assertAlmostEqual(one, other, delta=SLACK, msg=place)
        self.assertEqual(*(stable(re.sub(r"[\d.]+ %", "SHARE", text)) for text in (want, got)), place)

    def test_commands_of_the_driver(self):
        commands = [each for each in sessions() if each[0].startswith("build/bin/lathe ")]
        self.assertGreaterEqual(len(commands), 3)
        for command, want in commands:
            done = subprocess.run(["sh", "-c", command], cwd=self.folder, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.same(want.rstrip("\n"), done.stdout.rstrip("\n"), command)

    def test_the_table_of_quickstart(self):
        ((_, output),) = [each for each in sessions() if each[0] == "scripts/quickstart"]
        rows = [re.split(r" {2,}", line.strip()) for line in output.splitlines() if line.startswith("  ")]
        script = (SOURCE / "scripts/quickstart").read_text(encoding="utf-8")
        self.assertEqual([row[0] for row in rows], re.findall(r'^row "([^"]+)"', script, re.MULTILINE))
        values = [row[1] for row in rows]
        arguments = re.search(r"command=\(build/bin/lathe (.*?)\)\n", script, re.DOTALL)[1]
        command = arguments.replace('"$work"', "build/quickstart").replace("$work", "build/quickstart")
        done = subprocess.run(["sh", "-c", f"build/bin/lathe --json {command}".replace("\n", " ")], cwd=self.folder,
                              capture_output=True, text=True)  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stderr)
        summary = json.loads(done.stdout)
        layers, accuracy, size = summary["layers"], summary["accuracy"], summary["size"]
        self.assertEqual(values[0], f"{len(layers['quantized'])} / {len(layers['float'])}")
        self.assertGreaterEqual(accuracy["float"], 0.97)
        self.assertGreaterEqual(accuracy["fake_quant"], accuracy["float"] - 0.005)
        for value, share in zip(values[1:3], (accuracy["float"], accuracy["fake_quant"])):
            self.same(value, f"{100 * share:.2f} %", "accuracy")
        self.assertEqual(values[3:5], [f"{size[which] / 1000:.1f} KB" for which in ("before", "deploy")])

    def test_the_commands_of_the_table_exist(self):
        table = README.split("## What it does")[1].split("\n## ")[0]
        names = re.findall(r"`lathe ([a-z-]+)[^`]*`", table)
        self.assertGreaterEqual(len(set(names)), 8)
        there = self.done("--help")
        self.assertEqual(set(re.findall(r"^  ([a-z-]+) {3,}", there.split("Subcommands:")[1], re.MULTILINE)), set(names))

    def test_the_folders_of_the_table_exist(self):
        table = README.split("## Where things are")[1].split("\n## ")[0]
        for name in re.findall(r"^\| (.+?) \|", table, re.MULTILINE):
            for folder in re.findall(r"`([a-z]+)/`", name):
                self.assertTrue((SOURCE / folder).is_dir(), folder)
        tracked = subprocess.run(["git", "ls-tree", "-d", "--name-only", "HEAD"], cwd=SOURCE, capture_output=True, text=True)
        for folder in tracked.stdout.split():
            if not folder.startswith("."):
                self.assertIn(f"`{folder}/`", table)


if __name__ == "__main__":
    main()
