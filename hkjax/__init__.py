"""Knowledge-graph recommendation in JAX: published models as pure functions of arrays.

What there is, __init__.pyi lists; it is imported when it is used, so that a command starts at once.
"""

import importlib.metadata

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)
__version__ = importlib.metadata.version("hkjax")
