"""Loaded by every process under test: gives it the doors; a web process those of HTTP as well."""

import sys

from fastapi import FastAPI

from chaos.realtime.doors import PROOF, add_doors, say_from_worker
from tasuki import Tasuki

__all__ = ["PROOF", "say_from_worker"]

_web = sys.modules.get("tasuki.wiring.web")  # only there in a process that serves
if _web is not None:
    _create = _web.create_app

    def _create_with_doors(tasuki: Tasuki) -> FastAPI:
        app: FastAPI = _create(tasuki)
        add_doors(app)
        return app

    _web.create_app = _create_with_doors  # type: ignore[attr-defined]  # the module's own name
