"""The words of ``kilonova doctor``, apart from what it loads to do its work."""

import argparse

NAMES = ("configuration", "databases", "broker", "neighbours", "host", "clock", "consoles", "certificates")
ROLES = ("controller", "compute", "all")
EPILOG = """\
exit codes: 0 all is well; 1 there are warnings; 2 something does not work

examples:
  kilonova doctor                                         by /etc/nova/nova.conf, or the cloud of `kilonova up`
  kilonova doctor --config-file nova.conf --role compute  as a compute host with that file
  kilonova doctor --only databases --json                 one group of checks, for programs
  sudo -u nova kilonova doctor                            with the rights of the services
"""


def options(parser: argparse.ArgumentParser) -> None:
    """The command's arguments, beside ``--state``."""
    parser.add_argument("--config-file", action="append", default=[], help="read this file; may be repeated")
    parser.add_argument("--config-dir", action="append", default=[], help="read the files of this directory")
    parser.add_argument("--role", choices=ROLES, help="what runs on this machine (default: as the file looks)")
    parser.add_argument("--only", action="append", choices=NAMES, help="this group of checks; may be repeated")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of lines")
