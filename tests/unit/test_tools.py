# SPDX-License-Identifier: GPL-2.0-or-later
"""The project's own tools: each finds what it is there to find, and says where."""
import pathlib
import shutil
import subprocess

import pytest

TOP = pathlib.Path(__file__).parents[2]
SPDX = "/* SPDX-License-Identifier: GPL-2.0-or-later */\n"
TABLE = "base: |\nmodel: base |\nledger: base model | sqlite3.h\nweb: base ledger/query.h | microhttpd.h\n"


def tool(name, *arguments):
    done = subprocess.run([TOP / "tools" / name, *arguments], capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout


@pytest.fixture
def tree(tmp_path):
    """write(path, text) makes a file of a small project."""
    def write(path, text):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return tmp_path
    write("tools/includes.txt", TABLE)
    return write


INCLUDES = [
    ("base/a.c", '#include "base/a.h"', None),
    ("base/a.c", "#include <stdio.h>", None),
    ("base/a.c", "#include <linux/if_packet.h>", None),
    ("model/a.c", '#include "base/a.h"', None),
    ("base/a.c", '#include "model/a.h"', "base may not include model/a.h"),
    ("base/a.c", '#  include "model/a.h"', "base may not include model/a.h"),
    ("ledger/a.c", "#include <sqlite3.h>", None),
    ("model/a.c", "#include <sqlite3.h>", "belongs to ledger only"),
    ("model/a.c", "#include <curl/curl.h>", "an outside library of no room"),
    ("web/a.c", '#include "ledger/query.h"', None),
    ("web/a.c", '#include "ledger/ledger.h"', "web may not include ledger/ledger.h"),
    ("model/a.c", '#include "../base/a.h"', 'no "../"'),
    ("model/a.c", '#include "a.h"', "not a header of a room"),
    ("ledger/a.c", '#include "schema_sql.inc"', None),
    ("attic/a.c", "", "attic is not in tools/includes.txt"),
    ("base/a_test.c", "#include <cmocka.h>", None),
    ("base/a.c", "#include <cmocka.h>", "an outside library of no room"),
]


@pytest.mark.parametrize("path, line, wrong", INCLUDES)
def test_check_includes(tree, path, line, wrong):
    status, said = tool("check-includes", tree(f"src/{path}", f"{SPDX}{line}\n"))
    if wrong is None:
        assert (status, said) == (0, "")
    else:
        assert status == 1 and f"src/{path}:" in said and wrong in said
        assert line == "" or f"{path}:2: " in said


def test_check_includes_finds_a_circle_of_rooms(tree):
    status, said = tool("check-includes", tree("tools/includes.txt", "base: model |\nmodel: base |\n"))
    assert status == 1 and "in a circle: base -> model -> base" in said


GUARD = "#ifndef NETTALLY_BASE_A_H\n#define NETTALLY_BASE_A_H\n{}\n#endif\n"
HEADERS = [
    (GUARD.format("struct a { int n; };"), None),
    (GUARD.format("uint32_t a(void);"), "does not compile alone"),
    (GUARD.format("#include <stdint.h>\nuint32_t a(void);"), None),
    ("struct a { int n; };\n", "guard"),
    ("#ifndef A_H\n#define A_H\n#endif\n", "not #ifndef NETTALLY_BASE_A_H"),
    ("#ifndef NETTALLY_BASE_A_H\nstruct a;\n#endif\n", "#define NETTALLY_BASE_A_H is missing"),
]


@pytest.mark.parametrize("text, wrong", HEADERS)
def test_check_headers(tree, text, wrong):
    status, said = tool("check-headers", tree("src/base/a.h", SPDX + text))
    if wrong is None:
        assert (status, said) == (0, "")
    else:
        assert status == 1 and "src/base/a.h:" in said and wrong in said


def function(lines):
    return SPDX + "void f(void)\n{\n" + "\tg();\n" * lines + "}\n"


STYLE = [
    ("src/a.c", SPDX, 0, ""),
    ("src/a.c", "int a;\n", 1, "src/a.c:1: no line 'SPDX"),
    ("src/a.c", SPDX + "int a; \n", 1, "src/a.c:2: blanks at the end"),
    ("src/a.c", SPDX + "int a;", 1, "no newline at the end"),
    ("src/a.c", SPDX + "//" + "x" * 128 + "\n", 0, ""),
    ("src/a.c", SPDX + "//" + "x" * 129 + "\n", 1, "src/a.c:2: 131 columns"),
    ("src/a.c", SPDX + "\t//" + "x" * 121 + "\n", 1, "src/a.c:2: 131 columns"),
    ("src/a.c", function(100), 0, ""),
    ("src/a.c", function(101), 1, "src/a.c:3: a function of 101 lines"),
    ("src/a.c", SPDX + '#include "../b.h"\n', 1, 'src/a.c:2: no "../"'),
    ("src/a.c", SPDX + "int a;\n" * 500, 0, "src/a.c:1: warning: 501 lines"),
    ("src/a.c", SPDX + "int a;\n" * 800, 1, "src/a.c:1: 801 lines"),
    ("tests/a.py", "import os\n", 1, "tests/a.py:1: no line 'SPDX"),
    ("tools/a", "#!/bin/sh\n", 1, "tools/a:1: no line 'SPDX"),
    ("docs/a.md", "# x\n" + "y" * 300 + "\n", 0, ""),
    ("tests/fuzz/corpus/a/1.txt", "y" * 300 + " ", 0, ""),
]


@pytest.mark.parametrize("path, text, status, said", STYLE)
def test_check_style(tree, path, text, status, said):
    found = tool("check-style", tree(path, text))
    assert found[0] == status and said in found[1]
    assert said or not found[1]


MESON = '{"name": "a", "result": "OK"}\n{"name": "b", "result": "FAIL"}\n{"name": "c", "result": "SKIP"}\n' \
        '{"name": "d", "result": "TIMEOUT"}\n'
JUNIT = '<testsuites><testsuite tests="9" failures="1" errors="2" skipped="3"/></testsuites>'
RESULTS = [
    ("meson", MESON, [], "1 2 1"),
    ("meson", "", [], "0 0 0"),
    ("meson", '{"name": "a", "res', [], "0 1 0"),
    ("meson", None, [], "0 1 0"),
    ("pytest", JUNIT, ["1"], "3 3 3"),
    ("pytest", JUNIT.replace('failures="1" errors="2"', 'failures="0" errors="0"'), ["0"], "6 0 3"),
    ("pytest", '<testsuite tests="0"/>', ["5"], "0 0 0"),
    ("pytest", '<testsuite tests="4"/>', ["3"], "4 1 0"),
    ("pytest", "<testsuite", ["124"], "0 1 0"),
]


@pytest.mark.parametrize("kind, text, more, counts", RESULTS)
def test_count_results(tmp_path, kind, text, more, counts):
    log = tmp_path / "log"
    if text is not None:
        log.write_text(text)
    assert tool("count-results", kind, str(log), *more) == (0, counts + "\n")


@pytest.fixture
def checkout(tmp_path):
    """A checkout with ./run, and stand-ins for the machine: all packages but `absent` are there, apt-get takes a note,
    the program says what it was called with."""
    for name in ("run", "tools/setup.sh", "tools/install-packages", "tools/packages/build.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(TOP / name, tmp_path / name)
    stand_ins = {
        "bin/dpkg-query": '[ "$4" != absent ] && echo "ii "',
        "bin/apt-get": f'echo "$*" >>{tmp_path}/apt.log',
        "bin/meson": f'echo "$*" >>{tmp_path}/meson.log; mkdir -p "$2"; touch "$2/build.ninja"',
        "bin/ninja": "exit 0",
        "bin/id": "echo 0",
        "build/src/cli/nettally": 'printf "%s|" "$@"; echo',
    }
    for name, text in stand_ins.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    return tmp_path


def run(checkout, *arguments):
    path = f"{checkout}/bin:/usr/bin:/bin"
    done = subprocess.run([checkout / "run", *arguments], capture_output=True, text=True, timeout=60, check=False,
                          env={"PATH": path}, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("arguments, called", [
    ([], "run|--summary|"),
    (["-i", "eth0"], "run|--summary|-i|eth0|"),
    (["-ieth0"], "run|--summary|-ieth0|"),
    (["-c", "a.conf", "--listen", "127.0.0.1:0"], "run|--summary|-c|a.conf|--listen|127.0.0.1:0|"),
    (["-q", "-i", "eth0"], "run|--summary|-q|-i|eth0|"),
    (["a.pcap"], "read|--by|host|a.pcap|"),
    (["-"], "read|--by|host|-|"),
    (["--by", "mac", "a.pcap", "b.pcap"], "read|--by|mac|a.pcap|b.pcap|"),
    (["--by=mac", "a b.pcap"], "read|--by=mac|a b.pcap|"),
    (["--filter", "tcp port 443", "a.pcap"], "read|--by|host|--filter|tcp port 443|a.pcap|"),
    (["--", "-odd.pcap"], "read|--by|host|--|-odd.pcap|"),
])
def test_run_calls_the_program(checkout, arguments, called):
    assert run(checkout, *arguments) == called
    assert not (checkout / "apt.log").exists()


def test_run_sets_the_build_up_once(checkout):
    run(checkout)
    run(checkout)
    assert len((checkout / "meson.log").read_text().splitlines()) == 1


def test_run_installs_only_what_is_missing(checkout):
    (checkout / "tools/packages/build.txt").write_text("# a list\ngcc\nabsent # why\n")
    run(checkout)
    calls = (checkout / "apt.log").read_text().splitlines()
    assert len(calls) == 2 and calls[0].endswith("update") and calls[1].endswith(" absent") and "gcc" not in calls[1]


def test_run_help(checkout):
    assert run(checkout, "--help").startswith("usage: sudo ./run")


def test_scripts_parse():
    for name, shell in [("run", "bash"), ("test", "bash"), ("tools/setup.sh", "bash"), ("tools/install-packages", "sh"),
                        (".ci/run", "sh"), ("packaging/install-config", "sh")]:
        done = subprocess.run([shell, "-n", TOP / name], capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, ""), name
