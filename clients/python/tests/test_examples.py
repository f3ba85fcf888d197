"""The examples and the code of the documents, run as they stand there, in programs of their own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT_PASSWORD, password

import kalam

HERE = Path(__file__).parents[1]
QUICKSTART = HERE.parents[1] / "docs" / "quickstart" / "python.md"
FIRST = (HERE / "examples" / "first_live_event.py").read_text(encoding="utf-8")


def run(server, code: str, *args: str) -> str:
    """Runs code of the documents; the addresses and passwords in it become those of the server."""
    code = code.replace("http://localhost:8080", server.url).replace("choose-a-password", ROOT_PASSWORD)
    code = code.replace('user="alice", password="..."', f'user="alice", password="{password("alice")}"')
    env = {**os.environ, "PYTHONPATH": str(HERE / "src"), "PYTHONWARNINGS": "error"}
    done = subprocess.run([sys.executable, "-c", code, *args], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_version():
    version = (HERE.parents[1] / "VERSION").read_text(encoding="utf-8").strip()
    assert kalam.__version__ == version.replace("-dev", ".dev0")


def test_first_live_event(server):
    assert len(FIRST.splitlines()) <= 15
    assert run(server, FIRST) == "insert hello\n"
    assert blocks(QUICKSTART, "python")[0] == FIRST


def test_chat(server):
    code = (HERE / "examples" / "chat.py").read_text(encoding="utf-8")
    lines = run(server, code, server.url, "root", ROOT_PASSWORD).splitlines()
    assert sorted(lines) == sorted(
        [
            "insert alice: What's a lake?",
            "insert model: Files that you own.",
            "insert alice: goodbye",
            "alice has written 2",
        ]
    )


@pytest.mark.parametrize("page", [HERE / "README.md", QUICKSTART], ids=lambda p: p.name)
def test_documents(server, page, root):
    """Each block goes on where those before it ended; what it prints is what the text block after it shows."""
    root.query("CREATE USER TABLE IF NOT EXISTS app.notes (id BIGINT PRIMARY KEY DEFAULT SNOWFLAKE_ID(), body TEXT)")
    with server.connect() as alice:
        alice.query("DELETE FROM app.notes WHERE TRUE")
    found = re.findall(r"^```(python|text)\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    code = "\n".join(text for kind, text in found if kind == "python")
    shown = "".join(text for kind, text in found if kind == "text")
    assert code and run(server, code) == shown
