"""What the contracts' source says of their fields: the string below a field, or else below its type's alias."""

import ast
import importlib
import inspect
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import pairwise
from typing import Any, TypeAliasType


def contracts_doc(cls: type[Any]) -> str:
    """What the contracts of a class say of their events and streams: their module, or the package that it is in."""
    return inspect.getdoc(importlib.import_module(".".join(cls.__module__.split(".")[:3]))) or ""


def field_docs(cls: type[Any]) -> Mapping[str, str]:
    """The documented fields of a class."""
    told = _docs_below(_definitions(cls.__module__)[cls.__name__].body)
    of_types = {
        name: doc
        for name, hint in inspect.get_annotations(cls).items()
        if isinstance(hint, TypeAliasType) and (doc := _docs_below(_module(hint.__module__)).get(hint.__name__))
    }
    return {**of_types, **told}


@cache
def _module(name: str) -> Iterable[ast.stmt]:
    return ast.parse(inspect.getsource(importlib.import_module(name))).body


def _definitions(module: str) -> Mapping[str, ast.ClassDef]:
    return {each.name: each for each in _module(module) if isinstance(each, ast.ClassDef)}


def _docs_below(body: Iterable[ast.stmt]) -> Mapping[str, str]:
    docs: dict[str, str] = {}
    for statement, below in pairwise(body):
        match statement, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)) | ast.TypeAlias(name=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(doc))),
            ):
                docs[name] = inspect.cleandoc(doc)
    return docs
