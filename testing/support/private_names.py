"""Find uses of private names, assignments to another module's attributes and changes of an object's class."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ACCESSORS = {"getattr", "setattr", "hasattr", "delattr", "attrgetter", "methodcaller", "patch", "_attribute"}
"""Functions that take an attribute's name as text. The last one is in ML/compiler/converters/internals.py."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Use(NamedTuple):
    """One place that breaks the rule."""

    path: str
    name: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.name}"


def is_private(name: str) -> bool:
    """Return whether a name starts with an underscore and is neither a dunder nor `_` alone."""
    return name.startswith("_") and name.strip("_") != "" and not (name.startswith("__") and name.endswith("__"))


def find(path: Path, root: Path) -> list[Use]:
    """Return the uses in one file, in the order of its lines."""
    tree = ast.parse(path.read_text())
    where = str(path.relative_to(root))
    siblings = {module.stem for module in path.parent.glob("_*.py")}
    found = [
        Use(where, name, line)
        for name, line in _uses(tree, {}, frozenset(), _imported(tree))
        if name not in siblings  # a private module is for the modules beside it
    ]
    return sorted(found, key=lambda use: use.line)


def _imported(tree: ast.Module) -> set[str]:
    """Return the names that import statements bind in this file."""
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    return {(alias.asname or alias.name).partition(".")[0] for node in statements for alias in node.names}


def _uses(
    node: ast.AST, classes: dict[str, frozenset[str]], own: frozenset[str], imported: set[str]
) -> Iterator[tuple[str, int]]:
    """Yield the uses below a node. `own` holds the private attributes that the enclosing classes define."""
    if isinstance(node, ast.ClassDef):
        inherited = [classes[base.id] for base in node.bases if isinstance(base, ast.Name) and base.id in classes]
        classes[node.name] = _defined(node).union(*inherited)
        own |= classes[node.name]
    for name in _names(node, own, imported):
        yield name, getattr(node, "lineno", 0)
    for child in ast.iter_child_nodes(node):
        yield from _uses(child, classes, own, imported)


def _defined(body: ast.ClassDef) -> frozenset[str]:
    """Return the private attributes that a class defines: methods, class attributes, slots and `self._x = ...`."""
    found: set[str] = set()
    for node in ast.walk(body):
        if isinstance(node, Function):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _is_own(node.value):
            found.add(node.attr)
        elif isinstance(node, ast.Assign) and any(getattr(t, "id", "") == "__slots__" for t in node.targets):
            found.update(
                text.value
                for text in ast.walk(node.value)
                if isinstance(text, ast.Constant) and isinstance(text.value, str)
            )
    return frozenset(filter(is_private, found))


def _is_own(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def _names(node: ast.AST, own: frozenset[str], imported: set[str]) -> Iterator[str]:
    """Yield what is wrong with this node alone."""
    match node:
        case ast.Import():
            yield from (alias.name for alias in node.names if any(map(is_private, alias.name.split("."))))
        case ast.ImportFrom():
            parts = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            yield from (part for part in parts if is_private(part))
        case ast.Attribute(attr="__class__", ctx=ast.Store()):
            yield "__class__ ="
        case ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr=name) if is_private(name):
            yield name
        case ast.Attribute(attr=name) if is_private(name) and name not in own:
            yield name
        case ast.Attribute(ctx=ast.Store() | ast.Del()) if _root(node) in imported:
            yield f"{ast.unparse(node)} ="
        case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called)) if called in ACCESSORS:
            texts = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
            names = [text.rpartition(".")[2] for text in texts]
            yield from (name for name in names if is_private(name) and name not in own)


def _root(node: ast.expr) -> str:
    """Return the first name of `a.b.c`."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
