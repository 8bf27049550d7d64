"""``nova-policy``: which rules of the Compute API a caller passes, with the operator's policy files applied."""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from importlib import metadata

from kilonova.api.policies import policy, rules
from kilonova.kit.context import Context
from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.kit.errors import Invalid, KilonovaError, NotFound
from kilonova.kit.options import Configuration, load
from kilonova.store import server_mappings

PROGRAM = "nova-policy"
_KEYS = ("project_id", "user_id", "quota_class", "availability_zone", "instance_id")


def check(configuration: Configuration, arguments: argparse.Namespace) -> int:
    """Print the names of rules that the caller passes on the target; 1 when there is none."""
    try:
        wanted = re.compile(arguments.api_name or "")
    except re.error as error:
        raise Invalid(f"--api-name: {arguments.api_name} is no regular expression: {error}") from None
    roles = tuple(role.strip() for role in arguments.os_roles.split(",") if role.strip())
    caller = Context(user_id=arguments.os_user_id, project_id=arguments.os_tenant_id, roles=roles)
    target = _target(configuration, arguments.target, caller)
    verdicts = policy(configuration)
    names = [rule.name for rule in rules() if rule.operations and wanted.search(rule.name)]
    passed = [name for name in names if verdicts.allows(name, caller, target)]
    print("\n".join(passed or ["No rule is passed."]))
    return 0 if passed else 1


def _target(configuration: Configuration, words: Sequence[str], caller: Context) -> dict[str, str | None]:
    """Pairs of words; without any, what belongs to the caller."""
    if len(words) % 2:
        raise Invalid("--target wants pairs of a key and a value")
    pairs = dict(zip(words[::2], words[1::2], strict=True))
    unknown = sorted(set(pairs) - set(_KEYS))
    if unknown:
        raise Invalid(f"--target: {', '.join(unknown)} is none of {', '.join(_KEYS)}")
    if "instance_id" not in pairs:
        return {"project_id": caller.project_id, "user_id": caller.user_id, **pairs}
    with Database(configuration.section(DatabaseOptions, "api_database")).read() as connection:
        owner = server_mappings.owner(connection, pairs["instance_id"])
    if owner is None:
        raise NotFound(f"--target: there is no server {pairs['instance_id']}")
    return {"project_id": owner["project_id"], "user_id": owner["user_id"], **pairs}


def version(_configuration: Configuration, _arguments: argparse.Namespace) -> int:
    """Print Kilonova's version."""
    print(metadata.version("kilonova"))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, allow_abbrev=False)
    parser.add_argument("--config-file", action="append", default=[], help="read this file; may be repeated")
    parser.add_argument("--config-dir", action="append", default=[], help="read the files of this directory")
    environ = os.environ
    parser.add_argument("--os-roles", default=environ.get("OS_ROLES", ""), help="the caller's, with commas between")
    parser.add_argument("--os-user-id", default=environ.get("OS_USER_ID"), help="the caller's")
    parser.add_argument("--os-tenant-id", default=environ.get("OS_TENANT_ID"), help="the caller's project")
    categories = parser.add_subparsers(dest="category", required=True, metavar="COMMAND")
    commands = categories.add_parser("policy", help="the rules").add_subparsers(dest="command", required=True)
    words = "list the rules that the caller passes"
    checking = commands.add_parser("check", help=words, description=words, allow_abbrev=False)
    checking.add_argument("--api-name", metavar="REGEX", help="only rules whose names match")
    checking.add_argument("--target", nargs="+", default=[], metavar="KEY VALUE", help=f"of what ({', '.join(_KEYS)})")
    checking.set_defaults(run=check)
    categories.add_parser("version", help="print Kilonova's version").set_defaults(run=version)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit codes: 0 some rule is passed, 1 none is, or it cannot run (said in one line)."""
    arguments = _parser().parse_args(argv)
    files = [word for name in arguments.config_file for word in ("--config-file", name)]
    folders = [word for name in arguments.config_dir for word in ("--config-dir", name)]
    try:
        code: int = arguments.run(load(PROGRAM, [*files, *folders]), arguments)
    except KilonovaError as error:
        sys.stderr.write(f"{PROGRAM}: {error}\n")
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main())
