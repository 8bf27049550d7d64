"""The program: its words, its configuration, its exit codes."""

import argparse
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import metadata

from kilonova.cli.manage import cells, databases, hosts, images, limits, placement, volumes
from kilonova.cli.manage.deployment import Add, Command, Deployment, Ended
from kilonova.kit import logs
from kilonova.kit.errors import KilonovaError
from kilonova.kit.options import Configuration, load

PROGRAM = "nova-manage"
_MODULES = (databases, cells, hosts, placement, volumes, images, limits)
_OK = 0
_FAILED = 1


def _version(_deployment: Deployment, _arguments: argparse.Namespace) -> int:
    print(metadata.version("kilonova"))
    return _OK


def _completion(_deployment: Deployment, arguments: argparse.Namespace) -> int:
    """Without a category its names, with one those of its commands."""
    known = arguments.words
    print(" ".join(known.get(arguments.query_category, known)))
    return _OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, allow_abbrev=False)
    parser.add_argument("--config-file", action="append", default=[], help="read this file; may be repeated")
    parser.add_argument("--config-dir", action="append", default=[], help="read the files of this directory")
    parser.add_argument("--debug", action="store_true", help="tell more")
    categories = parser.add_subparsers(dest="category", required=True, metavar="COMMAND")
    groups: dict[str, Add] = {}
    words: dict[str, list[str]] = {}

    def group(name: str, text: str) -> Add:
        if name not in groups:
            form = argparse.RawDescriptionHelpFormatter
            inner = categories.add_parser(name, help=text, formatter_class=form)
            commands = inner.add_subparsers(dest="command", required=True, metavar="ACTION")
            words[name] = []

            def add(command: str, run: Command, words_: str, failure: int = _FAILED) -> argparse.ArgumentParser:
                described = f"{words_[:1].upper()}{words_[1:]}.\n\n{run.__doc__ or ''}"
                found = commands.add_parser(
                    command, help=words_, description=described, formatter_class=form, allow_abbrev=False
                )
                found.set_defaults(run=run, failure=failure)
                words[name].append(command)
                return found

            groups[name] = add
        return groups[name]

    for module in _MODULES:
        module.commands(group)
    categories.add_parser("version", help="print Kilonova's version").set_defaults(run=_version, failure=_FAILED)
    completion = categories.add_parser("bash-completion", help="print commands for the shell's completion")
    completion.add_argument("query_category", nargs="?", metavar="COMMAND")
    completion.set_defaults(run=_completion, failure=_FAILED, words=words)
    return parser


def main(argv: Sequence[str] | None = None, *, make: Callable[[Configuration], Deployment] = Deployment) -> int:
    """Exit codes: those of the command; its code for errors (mostly 1) when it fails, said in one line."""
    arguments = _parser().parse_args(argv)
    files = [word for name in arguments.config_file for word in ("--config-file", name)]
    folders = [word for name in arguments.config_dir for word in ("--config-dir", name)]
    try:
        configuration = load(PROGRAM, [*files, *folders])
        if arguments.debug:
            logs.set_up(configuration, PROGRAM, {"debug": True})
        run: Command = arguments.run
        return run(make(configuration), arguments)
    except Ended as end:
        print(end)
        return end.code
    except KilonovaError as error:
        sys.stderr.write(f"{PROGRAM}: {logs.blotted(str(error))}\n")
    except Exception as error:  # noqa: BLE001  # mostly a database that was not migrated: that is an answer, not a crash
        words = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        sys.stderr.write(f"{PROGRAM}: {logs.blotted(words)}\n")
        if arguments.debug:
            traceback.print_exc()
    return int(arguments.failure)
