"""Checks that every folder uses only what the design lets it use, and that nothing uses itself in a circle.

    python layering.py SOURCE_ROOT     checks the tree: one line a violation, exit status 1 if there is any
    python layering.py --self-test     checks that the checks fail where they should, on small made-up trees

What is looked at: the #include lines of every .h and .cpp, and the libraries that CMakeLists.txt files link.
"""
import pathlib
import re
import sys
import tempfile

# What a folder may use; what those may use is allowed as well. A folder inside another (ir/schema) has its own
# row where it may use more than its parent.
FOLDERS = {
    "support": [],
    "ir": ["support"],
    "ir/schema": ["ir"],
    "eval": ["ir"],
    "quant": ["support"],
    "proto": [],
    "passes": ["ir", "eval", "quant"],
    "frontends": ["ir", "quant", "proto"],
    "backends": ["ir", "quant", "proto"],
    "runtime": ["eval", "quant", "backends/onnx"],
    "flows": ["passes", "frontends", "backends", "runtime"],
    "tools": ["flows", "runtime"],
    "bindings": ["flows", "runtime"],
}

# Which library an include belongs to (the path's beginning), and the CMake targets of that library.
LIBRARIES = {
    "absl": (["absl/"], ["absl"]),
    "fmt": (["fmt/"], ["fmt"]),
    "Eigen": (["Eigen/", "unsupported/Eigen/"], ["Eigen3"]),
    "protobuf": (["google/protobuf/"], ["protobuf"]),
    "onnx": (["onnx/"], ["ONNX"]),
    # Its package brings oneTBB along.
    "OpenVINO": (["openvino/", "oneapi/tbb/"], ["openvino", "TBB"]),
    "nlohmann-json": (["nlohmann/"], ["nlohmann_json"]),
    "CLI11": (["CLI/"], ["CLI11"]),
    "libpng": (["png.h"], ["PNG"]),
    "zlib": (["zlib.h"], ["ZLIB"]),
    "turbojpeg": (["turbojpeg.h"], ["TURBOJPEG_LIBRARY"]),
    "nanobind": (["nanobind/"], ["nanobind"]),
}

# Where a library may be used: these folders and the ones inside them. absl and fmt go everywhere.
PLACES = {
    "Eigen": ["quant", "passes"],
    "protobuf": ["ir/schema", "proto", "frontends", "backends", "bindings"],
    "onnx": ["ir/schema", "frontends", "backends"],
    "OpenVINO": ["runtime"],
    "nlohmann-json": ["frontends", "backends", "flows", "tools", "bindings"],
    "CLI11": ["tools"],
    "libpng": ["frontends", "backends", "runtime", "flows", "tools"],
    "zlib": ["frontends", "backends", "runtime", "flows", "tools"],
    "turbojpeg": ["frontends", "backends", "runtime", "flows", "tools"],
    "nanobind": ["bindings"],
}

SYSTEM_FOLDERS = ["sys/", "linux/", "arpa/", "netinet/", "bits/"]

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')
COMMAND = re.compile(r"\b(lathe_library|lathe_test|add_library|add_executable|target_link_libraries)\s*\(([^)]*)\)")
# A library of ours in a link list, as Lathe::ir or, inside its own folder's file, lathe_ir.
TARGET = re.compile(r"\bLathe::(\w+)|\blathe_(?!flags\b)(\w+)")


def is_inside(path, folder):
    return path == folder or path.startswith(folder + "/")


def row_of(path):
    """The row of FOLDERS that a folder belongs to: the longest that holds it; None outside of all."""
    rows = [folder for folder in FOLDERS if is_inside(path, folder)]
    return max(rows, key=len, default=None)


def allowed_rows(row):
    """Everything `row` may use, directly or through what it uses; itself and its parent row included."""
    seen, todo = set(), [row]
    while todo:
        folder = todo.pop()
        if folder not in seen:
            seen.add(folder)
            todo += FOLDERS.get(folder, []) + FOLDERS.get(row_of(folder), [])
    if row and "/" in row:
        seen.add(row_of(row.rsplit("/", 1)[0]))
    return seen


def may_use(user, used):
    """Whether files of the folder `user` may use files of the folder `used` (both paths from the root)."""
    user_row = row_of(user)
    # One folder is one library family: ir may use ir/schema and the other way round.
    if user.split("/")[0] == used.split("/")[0]:
        return True
    return any(is_inside(used, folder) for folder in allowed_rows(user_row))


def find_cycle(edges):
    """A cycle of the graph {node: nodes it uses} as a list of nodes, first and last the same; None without one."""
    state, path = {}, []

    def visit(node):
        state[node] = "open"
        path.append(node)
        for following in sorted(edges.get(node, ())):
            if state.get(following) == "open":
                return path[path.index(following) :] + [following]
            if following not in state and (cycle := visit(following)):
                return cycle
        state[node] = "done"
        path.pop()
        return None

    for node in sorted(edges):
        if node not in state and (cycle := visit(node)):
            return cycle
    return None


def check_library(folder, place, library):
    if library in PLACES and not any(is_inside(folder, allowed) for allowed in PLACES[library]):
        return [f"{place}: {folder} may not use {library} (allowed in: {', '.join(PLACES[library])})"]
    return []


def check_include(folder, place, included):
    if included.startswith("lathe/"):
        used = str(pathlib.PurePosixPath(included).parent)[len("lathe/") :]
        if row_of(used) is None:
            return [f"{place}: includes {included}, which is in no folder of the design"]
        if not may_use(folder, used):
            return [f"{place}: {folder} may not use {used} (includes {included})"]
        return []
    # protoc's output lies in the build folder.
    if included.startswith("proto/") and included.endswith(".pb.h"):
        return [] if may_use(folder, "proto") else [f"{place}: {folder} may not use proto (includes {included})"]
    for library, (prefixes, _) in LIBRARIES.items():
        if any(included == prefix or prefix.endswith("/") and included.startswith(prefix) for prefix in prefixes):
            return check_library(folder, place, library)
    if "/" in included and not any(included.startswith(prefix) for prefix in SYSTEM_FOLDERS):
        return [f"{place}: includes {included}: neither \"lathe/...\" nor a library the design knows"]
    return []


def check_includes(root):
    problems, used_headers = [], {}
    for top in sorted({folder.split("/")[0] for folder in FOLDERS}):
        for file in sorted([*(root / top).rglob("*.h"), *(root / top).rglob("*.cpp")]):
            name = file.relative_to(root).as_posix()
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
                if match := INCLUDE.match(line):
                    folder = name.rsplit("/", 1)[0]
                    problems += check_include(folder, f"{name}:{number}", match[1])
                    if match[1].startswith("lathe/"):
                        used_headers.setdefault(name, set()).add(match[1][len("lathe/") :])
    if cycle := find_cycle(used_headers):
        problems.append("headers include each other in a circle: " + " -> ".join(cycle))
    return problems


def check_links(root):
    """The link lists: which folder defines which library, and whether each may link what it links."""
    folder_of, links = {}, []  # links: (folder, file, library that links or None, text of the link list)
    for top in sorted({folder.split("/")[0] for folder in FOLDERS}):
        for file in sorted((root / top).rglob("CMakeLists.txt")):
            folder = file.parent.relative_to(root).as_posix()
            text = re.sub(r"#.*", "", file.read_text(encoding="utf-8"))
            for command, arguments in COMMAND.findall(text):
                first, *rest = arguments.split() or [""]
                library = re.sub(r"^(Lathe::|lathe_)", "", first)
                if command == "lathe_library":
                    folder_of[library] = folder
                    # Sources come first and may be named like anything.
                    keyword = next((i for i, word in enumerate(rest) if word in ("PUBLIC", "PRIVATE")), len(rest))
                    rest = rest[keyword:]
                elif command in ("add_library", "add_executable"):
                    rest = []
                    if command == "add_library" and library != first:
                        folder_of.setdefault(library, folder)
                links.append((folder, file.relative_to(root).as_posix(), library, " ".join(rest)))
    problems, edges = [], {}
    for folder, place, library, text in links:
        for pair in TARGET.findall(text):
            used = pair[0] or pair[1]
            edges.setdefault(library, set()).add(used)
            if used not in folder_of:
                problems.append(f"{place}: {library} links Lathe::{used}, which no folder of the design defines")
            elif not may_use(folder, folder_of[used]):
                problems.append(f"{place}: {folder} may not use {folder_of[used]} (links Lathe::{used})")
        for name, (_, targets) in LIBRARIES.items():
            if any(re.search(rf"\b{target}(::|\b)", text) for target in targets):
                problems += check_library(folder, place, name)
    if cycle := find_cycle(edges):
        problems.append("libraries link each other in a circle: " + " -> ".join(cycle))
    return problems


def check(root):
    problems = check_includes(root) + check_links(root)
    if cycle := find_cycle(FOLDERS):
        problems.append("the design's table goes in a circle: " + " -> ".join(cycle))
    return problems


def self_test():
    """Each made-up tree has one mistake, or none, and must give exactly the expected problems."""
    library = "lathe_library({} SOURCES a.cpp PUBLIC {})".format
    cases = {
        "a tree without mistakes": (
            {
                "support/status.h": "#include <absl/status/status.h>\n#include <vector>\n#include <sys/mman.h>\n",
                "ir/graph.h": '#include "lathe/support/status.h"\n',
                "ir/schema/infer.cpp": '#include "lathe/ir/graph.h"\n#include <onnx/onnx_pb.h>\n',
                "runtime/run.cpp": '#include "lathe/backends/onnx/write.h"\n#include "lathe/ir/graph.h"\n',
                "support/CMakeLists.txt": library("support", "absl::status"),
                "ir/CMakeLists.txt": library("ir", "Lathe::support"),
            },
            [],
        ),
        "an include against the order": (
            {"support/status.h": '#include <vector>\n#include "lathe/ir/graph.h"\n'},
            ["support/status.h:2: support may not use ir (includes lathe/ir/graph.h)"],
        ),
        "an include of a sibling": (
            {"frontends/onnx/read.cpp": '#include "lathe/backends/onnx/write.h"\n'},
            ["frontends/onnx/read.cpp:1: frontends/onnx may not use backends/onnx (includes lathe/backends/onnx/write.h)"],
        ),
        "only one folder of a folder is allowed": (
            {"runtime/run.cpp": '#include "lathe/backends/deploy/write.h"\n'},
            ["runtime/run.cpp:1: runtime may not use backends/deploy (includes lathe/backends/deploy/write.h)"],
        ),
        "protobuf outside its place": (
            {"ir/graph.h": "#include <onnx/onnx_pb.h>\n"},
            ["ir/graph.h:1: ir may not use onnx (allowed in: ir/schema, frontends, backends)"],
        ),
        "a generated header": (
            {
                "frontends/config/read.cpp": '#include "proto/record.pb.h"\n',
                "quant/config/read.cpp": '#include "proto/record.pb.h"\n',
            },
            ["quant/config/read.cpp:1: quant/config may not use proto (includes proto/record.pb.h)"],
        ),
        "a folder nobody knows": (
            {"ir/graph.h": '#include "lathe/extras/x.h"\n'},
            ["ir/graph.h:1: includes lathe/extras/x.h, which is in no folder of the design"],
        ),
        "a library nobody knows": (
            {"ir/graph.h": "#include <boost/any.hpp>\n"},
            ['ir/graph.h:1: includes boost/any.hpp: neither "lathe/..." nor a library the design knows'],
        ),
        "headers in a circle": (
            {"ir/a.h": '#include "lathe/ir/b.h"\n', "ir/b.h": '#include "lathe/ir/a.h"\n'},
            ["headers include each other in a circle: ir/a.h -> ir/b.h -> ir/a.h"],
        ),
        "a link against the order": (
            {
                "quant/CMakeLists.txt": library("quant", "Lathe::ir # the comment is not read: Lathe::flows\n"),
                "ir/CMakeLists.txt": library("ir", "absl::status"),
            },
            ["quant/CMakeLists.txt: quant may not use ir (links Lathe::ir)"],
        ),
        "a link of a library outside its place": (
            {"eval/CMakeLists.txt": library("eval", "openvino::runtime")},
            ["eval/CMakeLists.txt: eval may not use OpenVINO (allowed in: runtime)"],
        ),
        "libraries in a circle": (
            {
                "passes/core/CMakeLists.txt": library("passes_core", "Lathe::passes_rewrite"),
                "passes/rewrite/CMakeLists.txt": library("passes_rewrite", "Lathe::passes_core"),
            },
            ["libraries link each other in a circle: passes_core -> passes_rewrite -> passes_core"],
        ),
        "a link added afterwards": (
            {
                "ir/CMakeLists.txt": library("ir", "absl::status")
                + "\ntarget_link_libraries(lathe_ir PRIVATE Lathe::eval)",
                "eval/CMakeLists.txt": library("eval", "absl::status"),
            },
            ["ir/CMakeLists.txt: ir may not use eval (links Lathe::eval)"],
        ),
    }
    failures = 0
    for name, (files, expected) in cases.items():
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for path, text in files.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text, encoding="utf-8")
            found = check(root)
        if found != expected:
            failures += 1
            print(f"{name}: expected {expected}, found {found}")
    print(f"{len(cases) - failures} of {len(cases)} made-up trees judged rightly")
    return failures


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: python layering.py SOURCE_ROOT | --self-test")
    if sys.argv[1] == "--self-test":
        sys.exit(1 if self_test() else 0)
    problems = check(pathlib.Path(sys.argv[1]))
    print("\n".join(problems) or "the layering holds")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
