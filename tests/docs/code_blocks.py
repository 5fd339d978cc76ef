"""Checks that the code in docs/writing-a-pass.md is code that the tests compile.

    python code_blocks.py SOURCE_ROOT     one line a block that stands in no file of examples/pass; exit status 1
    python code_blocks.py --self-test     checks that the check fails where it should
"""
import pathlib
import re
import sys
import tempfile

GUIDE = "docs/writing-a-pass.md"
FOLDER = "examples/pass"
BLOCK = re.compile(r"^```cpp\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def check(root):
    guide = (root / GUIDE).read_text(encoding="utf-8")
    sources = [file.read_text(encoding="utf-8") for file in sorted((root / FOLDER).glob("*.*"))]
    blocks = list(BLOCK.finditer(guide))
    problems = [] if blocks else [f"{GUIDE}: there is no block of code in it"]
    for block in blocks:
        if not any(block[1] in source for source in sources):
            line = guide.count("\n", 0, block.start()) + 2
            problems.append(f"{GUIDE}:{line}: this block stands in no file of {FOLDER}: copy it from there")
    return problems


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / GUIDE).parent.mkdir(parents=True)
        (root / FOLDER).mkdir(parents=True)
        (root / FOLDER / "a.cpp").write_text("int a;\nint b;\n", encoding="utf-8")

        def problems(guide):
            (root / GUIDE).write_text(guide, encoding="utf-8")
            return check(root)

        assert problems("Text.\n\n```cpp\nint b;\n```\n") == []
        assert problems("```cpp\nint a;\n```\n\n```cpp\nint c;\n```\n") == [
            f"{GUIDE}:6: this block stands in no file of {FOLDER}: copy it from there"
        ]
        assert problems("Text.\n") == [f"{GUIDE}: there is no block of code in it"]


if __name__ == "__main__":
    if sys.argv[1:] == ["--self-test"]:
        self_test()
    else:
        found = check(pathlib.Path(sys.argv[1]))
        print("\n".join(found) or f"{GUIDE} shows what {FOLDER} holds")
        sys.exit(1 if found else 0)
