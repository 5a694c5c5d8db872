"""What every command shares: help, version, errors of one line, extras that are missing."""

import sys
from importlib.metadata import version
from io import BytesIO, TextIOWrapper
from pathlib import Path

import click
import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner

from nanobanana_async import NanoBananaClient, __version__
from nanobanana_async.cli._extras import missing_extra
from nanobanana_async.cli._group import nanobanana
from nanobanana_async.cli._output import put

from .command import run, run_code

WITHOUT = """
import sys
sys.modules[sys.argv.pop(1)] = None
from nanobanana_async.cli import main
main()
"""
INSTALL = "pip install 'nanobanana-async[cli,emulator]'"


def test_without_a_command_it_shows_its_help() -> None:
    result = CliRunner().invoke(nanobanana, [])
    assert result.exit_code == 0
    assert result.stdout == CliRunner().invoke(nanobanana, ["--help"]).stdout
    assert "nanobanana demo --n 50" in result.stdout


def test_the_version() -> None:
    assert CliRunner().invoke(nanobanana, ["--version"]).stdout == f"nanobanana {__version__}\n"
    assert version("nanobanana-async") == __version__


def test_it_can_be_run_as_a_module() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"nanobanana {__version__}\n", "")


def test_help_needs_neither_rich_nor_pillow() -> None:
    code = "import sys, nanobanana_async.cli._group; print({'rich', 'PIL'} & set(sys.modules))"
    assert run_code(code).stdout == "set()\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["demo", "--n", "0"],
        ["demo", "--n", "-3"],
        ["demo", "--n", "many"],
        ["demo", "--speed", "0"],
        ["demo", "--speed", "nan"],
        ["demo", "--out", "/dev/null/pictures"],
        ["demo", "surplus"],
        ["emulator", "--port", "65536"],
        ["emulator", "--speed", "nan"],
        ["emulator", "--window", "round"],
        ["emulator", "--balance", "-1"],
        ["emulator", "--api-key", "two words"],
        ["emulator", "--api-key", ""],
        ["emulator", "--fault", "submit_lost"],
        ["emulator", "--fault", "submit_lost=often"],
        ["emulator", "--fault", "nonsense=0.1"],
        ["emulator", "--fault", "submit_lost=1.5"],
        ["emulator", "--fault", "submit_lost=0.7", "--fault", "submit_500=0.7"],
        ["emulator", "--episode", "any_502"],
        ["emulator", "--episode", "any_502=60"],
        ["emulator", "--episode", "any_502=60+soon"],
        ["emulator", "--episode", "any_502=60+6+7"],
        ["emulator", "--episode", "any_502=60+0"],
        ["emulator", "--episode", "any_nonsense=60+600"],
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(nanobanana, arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert not list(tmp_path.iterdir())
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")


@pytest.mark.parametrize("option", ["--fault=submit_lots=0.1", "--episode=submit_lots=1+2"])
def test_a_wrong_name_of_a_fault_is_answered_with_the_nearest(option: str) -> None:
    result = CliRunner().invoke(nanobanana, ["emulator", option])
    assert "there is no fault 'submit_lots'" in result.stderr
    assert "Near it: submit_lost" in result.stderr
    assert len(result.stderr) < 400


def test_an_interrupt_before_the_work_began(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: click.Context) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(nanobanana, "invoke", interrupted)
    result = CliRunner().invoke(nanobanana, [])
    assert (result.exit_code, result.output.strip()) == (130, "")


@pytest.mark.parametrize(
    ("module", "package", "command"),
    [
        ("click", "click", "demo"),
        ("rich", "rich", "demo"),
        ("PIL", "Pillow", "demo"),
        ("PIL", "Pillow", "emulator"),
    ],
)
def test_a_missing_extra_is_one_line(module: str, package: str, command: str) -> None:
    done = run_code(WITHOUT, module, command)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"nanobanana needs {package}. Install it with: {INSTALL}\n"


def test_another_missing_module_is_no_extra() -> None:
    assert missing_extra(ModuleNotFoundError(name="aiohttp")) is None
    assert missing_extra(ModuleNotFoundError()) is None
    assert missing_extra(ModuleNotFoundError(name="rich.live")) is not None


def test_another_missing_module_is_not_hidden() -> None:
    done = run_code(WITHOUT, "nanobanana_async.cli._demo", "--version")
    assert "nanobanana_async.cli._demo" in done.stderr.splitlines()[-1]
    assert INSTALL not in done.stderr


def test_commands_stand_in_the_order_of_need() -> None:
    text = CliRunner().invoke(nanobanana, ["--help"]).stdout
    places = [text.index(f"\n  {name} ") for name in nanobanana.commands]
    assert places == sorted(places)


@pytest.mark.parametrize("name", list(nanobanana.commands))
def test_each_command_fits_80_columns_and_shows_an_example(name: str) -> None:
    text = CliRunner().invoke(nanobanana, [name, "--help"]).stdout
    assert f"nanobanana {name}" in text.partition("Example")[2]
    assert "--debug" in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("arguments", [["--debug", "balance"], ["balance", "--debug"]])
def test_debug_shows_where_an_error_came_from(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("APIXO_API_KEY", raising=False)
    done = CliRunner().invoke(nanobanana, arguments)
    assert done.exit_code == 2
    assert done.stderr.startswith("Traceback (most recent call last):\n")
    assert done.stderr.splitlines()[-1].startswith("Error: No API key")


def test_a_defect_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APIXO_API_KEY", "sk-x")

    def broken(_: NanoBananaClient) -> None:
        raise KeyError("x")

    monkeypatch.setattr(NanoBananaClient, "balance", broken)
    done = CliRunner().invoke(nanobanana, ["balance"])
    assert (done.exit_code, done.stdout) == (70, "")
    assert (
        done.stderr == "Error: KeyError: 'x'. This is a defect of nanobanana; --debug shows where\n"
    )


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_that_completes(shell: str) -> None:
    script = run("completion", shell)
    assert (script.returncode, script.stderr) == (0, "")
    assert f"_NANOBANANA_COMPLETE={shell}_complete" in script.stdout


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("nanobanana ge", ["generate"]),
        ("nanobanana generate --resolution ", ["1K", "2K", "4K"]),
        ("nanobanana generate --aspect-ratio 16", ["16:9"]),
        ("nanobanana wait --model nano-banana-", ["nano-banana-2"]),
        ("nanobanana bulk --output-format ", ["png", "jpeg"]),
    ],
)
def test_words_are_completed(typed: str, completed: list[str]) -> None:
    words = typed.split(" ")
    complete = BashComplete(nanobanana, {}, "nanobanana", "_NANOBANANA_COMPLETE")
    found = complete.get_completions(words[1:-1], words[-1])
    assert [item.value for item in found] == completed


@pytest.mark.parametrize(
    ("encoding", "errors", "said", "written"),
    [
        ("latin-1", "strict", "😀.html", b"\\U0001f600.html"),
        ("utf-8", "surrogateescape", "caf\udce9.png", b"caf\xe9.png"),  # as in the locale C
    ],
)
def test_a_stream_that_has_no_letters_for_it(
    encoding: str, errors: str, said: str, written: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = TextIOWrapper(BytesIO(), encoding=encoding, errors=errors)
    monkeypatch.setattr(sys, "stdout", stream)
    with pytest.raises(SystemExit):
        nanobanana.main(["--version"])
    put(said)
    stream.flush()
    assert stream.buffer.getvalue().splitlines()[-1] == written
