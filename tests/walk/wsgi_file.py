"""Loads a script as Apache's mod_wsgi does (a module whose name is not `__main__`) and serves its application."""

import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

from cheroot import wsgi

loader = SourceFileLoader("_mod_wsgi_script", sys.argv[1])
specification = spec_from_loader(loader.name, loader)
assert specification is not None
script = module_from_spec(specification)
loader.exec_module(script)
wsgi.Server(("127.0.0.1", int(sys.argv[2])), script.application).safe_start()
