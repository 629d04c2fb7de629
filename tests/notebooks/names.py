"""Which names a cell of a notebook defines and which it needs, without running it."""

import ast
import symtable
from functools import cache
from types import SimpleNamespace

from IPython.core.inputtransformer2 import TransformerManager

PARTS = (ast.Subscript, ast.Attribute)
# What these methods of an object do, later cells see.
CHANGES = {"add", "append", "extend", "insert", "load_state_dict", "pop", "setdefault", "update"}


def plain_source(cell) -> str:
    """A cell as Python: magics become calls."""
    return _transformed(cell.source)


def assigned_names(cell) -> frozenset[str]:
    """Names to which a cell gives a value that later cells see."""
    return _assigned(plain_source(cell))


def defined_names(cell) -> frozenset[str]:
    """The same, and names of objects that it changes."""
    return _defined(plain_source(cell))


def used_names(cell) -> frozenset[str]:
    """Names of the notebook or of Python that a cell looks up, in its functions too."""
    return _used(plain_source(cell))


def names_taken(cell) -> frozenset[str]:
    """Names that a cell looks up before it gives them a value itself: other cells have to."""
    return _taken(plain_source(cell))


@cache
def _taken(source: str) -> frozenset[str]:
    return frozenset(_taken_by(ast.parse(source).body, set()))


def _taken_by(statements: list[ast.stmt], given: set[str]) -> set[str]:
    """Names that statements look up before one of them gives them a value; ``given`` grows by these."""
    taken: set[str] = set()
    for statement in statements:
        inner = []
        if isinstance(statement, ast.For | ast.While | ast.If | ast.With):
            inner = [*statement.body, *getattr(statement, "orelse", [])]
            statement.body, statement.orelse = [ast.Pass()], []
        head = ast.unparse(statement)
        values = _defined(head)
        before = values if isinstance(statement, ast.For | ast.With) else set()
        taken |= _used(head) - given - before
        if isinstance(statement, ast.AugAssign):
            taken |= values - given
        given |= values
        taken |= _taken_by(inner, given)
    return taken


@cache
def _transformed(source: str) -> str:
    return TransformerManager().transform_cell(source)


@cache
def _defined(source: str) -> frozenset[str]:
    table = symtable.symtable(source, "cell", "exec")
    nodes = list(ast.walk(ast.parse(source)))
    changed = [n.value for n in nodes if isinstance(n, PARTS) and isinstance(n.ctx, ast.Store)]
    changed += [n.value for n in nodes if isinstance(n, ast.Attribute) and n.attr in CHANGES]
    names = {root.id for root in map(_root, changed) if isinstance(root, ast.Name)}
    return _assigned(source) | names & set(table.get_identifiers())


@cache
def _assigned(source: str) -> frozenset[str]:
    symbols = symtable.symtable(source, "cell", "exec").get_symbols()
    return frozenset(s.get_name() for s in symbols if s.is_assigned() or s.is_imported())


def _root(node: ast.expr) -> ast.expr:
    """``x`` of ``x[0].y``."""
    while isinstance(node, PARTS):
        node = node.value
    return node


@cache
def _used(source: str) -> frozenset[str]:
    return frozenset(names_looked_up(symtable.symtable(source, "cell", "exec")))


def names_looked_up(table: symtable.SymbolTable) -> set[str]:
    """Names that a cell or a function of it looks up outside of its functions."""
    found = {
        symbol.get_name()
        for symbol in table.get_symbols()
        if symbol.is_referenced() and (table.get_type() == "module" or symbol.is_global())
    }
    return found.union(*map(names_looked_up, table.get_children()))


def function_tables(source: str) -> list[symtable.SymbolTable]:
    """The functions, lambdas and comprehensions that stand in a source, but in no other function."""
    return symtable.symtable(source, "cell", "exec").get_children()


def cells_needed(cells: list, wanted) -> list:
    """Of a notebook's code cells those that ``wanted``, one of them, needs, and itself, in order.

    For each name that a cell takes from others, that is the nearest cell before it that defines it.
    """
    found, todo = {cells.index(wanted)}, [cells.index(wanted)]
    while todo:
        place = todo.pop()
        for name in names_taken(cells[place]):
            before = (i for i in range(place - 1, -1, -1) if name in defined_names(cells[i]))
            if (source := next(before, None)) is not None and source not in found:
                found.add(source)
                todo.append(source)
    return [cells[i] for i in sorted(found)]


def statements(cell) -> list[SimpleNamespace]:
    """The statements of a cell, each as a cell of its own; assertions are left out.

    For :func:`cells_needed`, a call that changes what it is given (a training) gives it no value: what
    is needed of the names alone is kept.
    """
    tree = ast.parse(plain_source(cell))
    kept = [node for node in tree.body if not isinstance(node, ast.Assert)]
    return [SimpleNamespace(source=ast.unparse(node), cell=cell.id) for node in kept]
