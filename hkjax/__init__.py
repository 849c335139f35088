"""Knowledge-graph recommendation in JAX: published models as pure functions of arrays.

__init__.pyi lists the public names. They are imported lazily, so that commands start quickly.
"""

import importlib
from typing import Any

import lazy_loader

__version__ = "0.6.0"

_import, _list, _ = lazy_loader.attach_stub(__name__, __file__)
_EQUATIONS = {f"{model}_equations": f"hkjax.models.{model}.equations" for model in ("hakg", "hkrm", "linear", "link")}


def __getattr__(name: str) -> Any:
    return importlib.import_module(_EQUATIONS[name]) if name in _EQUATIONS else _import(name)


def __dir__() -> list[str]:
    return sorted({*_list(), *_EQUATIONS} - {"equations"})
