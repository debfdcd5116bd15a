# SPDX-License-Identifier: GPL-2.0-or-later
"""Manual pages and completions: free of mistakes, and complete as far as a program can tell."""
import pathlib
import re
import shutil
import subprocess

import pytest

TOP = pathlib.Path(__file__).parents[2]
PAGES = sorted((TOP / "man").glob("*.[1-8]"))
COMPLETIONS = TOP / "packaging" / "completion"


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **more)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_manual_page_has_no_warning(page):
    if not shutil.which("man"):
        pytest.skip("no man here")
    done = run("man", "--warnings=w,all", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(page), env={"MANWIDTH": "80",
               "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANROFFSEQ": ""})
    assert done.returncode == 0
    assert done.stderr == ""


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_manual_page_has_the_usual_parts(page):
    text = page.read_text()
    name, section = re.search(r"(?m)^\.(?:TH|Dt) (\S+) (\d)", text).groups()
    assert (name.lower(), section) == tuple(page.name.rsplit(".", 1))
    assert re.search(r"(?mi)^\.S[Hh] \"?NAME", text)
    assert re.search(r"(?mi)^\.S[Hh] \"?DESCRIPTION", text)


@pytest.mark.parametrize("shell, name", [("bash", "nettally.bash"), ("zsh", "nettally.zsh"), ("fish", "nettally.fish")])
def test_completion_parses(shell, name):
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    done = run(shell, "-n", str(COMPLETIONS / name))
    assert (done.returncode, done.stderr) == (0, "")


def complete(binary, *words):
    """What bash offers for the last of `words`."""
    script = f'. "{COMPLETIONS}/nettally.bash"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); compopt() {{ :; }}\n' \
             '_nettally; printf "%s\\n" "${COMPREPLY[@]}"'
    path = f"{pathlib.Path(binary).parent}:/usr/bin:/bin"
    done = run("bash", "-c", script, "-", "nettally", *words, env={"PATH": path})
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize("words, offered", [
    (["sta"], {"status"}),
    (["read", "--b"], {"--by", "--bytes"}),
    (["read", "--by", "pro"], {"proto"}),
    (["read", "--by", "host,pro"], {"host,proto"}),
    (["query", "x", "--format", "nd"], {"ndjson"}),
    (["query", "x", "--where", "vl"], {"vlan="}),
    (["run", "--l"], {"--ledger", "--listen"}),
    (["det"], {"detach"}),
    (["detach", "--d"], {"--discard"}),
    (["detach", "--"], {"--ledger", "--pins", "--discard", "--help"}),
])
def test_bash_offers(binary, words, offered):
    assert set(complete(binary, *words)) == offered


def test_bash_offers_interfaces(binary):
    assert "lo" in complete(binary, "run", "-i", "")


def help_of(binary, *words):
    done = run(str(binary), *words, "--help")
    assert done.returncode == 0, done.stderr
    return done.stdout


def commands(binary):
    return re.findall(r"(?m)^\s+(?:nettally )?([a-z]+)\s{2,}\S", help_of(binary))


def test_manual_names_every_command_and_option(binary):
    """What --help names, nettally(1) explains."""
    page = (TOP / "man" / "nettally.1").read_text().replace("\\-", "-")
    names = commands(binary)
    assert {"run", "read", "query", "status", "audit", "check", "interfaces", "detach"} <= set(names)
    missing = [name for name in names if not re.search(rf"\b{name}\b", page)]
    for name in names:
        missing += [f"{name} {option}" for option in re.findall(r"(?<!\S)(--[a-z0-9-]+)", help_of(binary, name))
                    if option not in page]
    assert missing == []
