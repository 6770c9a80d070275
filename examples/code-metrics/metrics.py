"""Measures Python source files: the jobs of the pool code-metrics.

A job's payload is the path of a file; its result says how long the file is and what it holds. A file that does not
parse is a result too, which says why.
"""

import ast
import warnings

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

# Where the code that runs next depends on a value or on an exception.
BRANCHES = (ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.comprehension)


def measure(path):
    """Count the lines, functions, classes and branches of one file and find its longest function."""
    with open(path, "rb") as file:
        source = file.read()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source, filename=path)
    except (SyntaxError, ValueError, RecursionError) as error:
        return {"path": path, "unparsable": str(error)}
    functions = classes = branches = 0
    longest = {"name": None, "lines": 0}
    for node in ast.walk(tree):
        if isinstance(node, FUNCTIONS):
            functions += 1
            lines = node.end_lineno - node.lineno + 1
            if lines > longest["lines"]:
                longest = {"name": node.name, "lines": lines}
        elif isinstance(node, ast.ClassDef):
            classes += 1
        elif isinstance(node, BRANCHES):
            branches += 1
        elif isinstance(node, ast.BoolOp):
            branches += len(node.values) - 1
    return {
        "path": path,
        "lines": len(source.splitlines()),
        "functions": functions,
        "classes": classes,
        "branches": branches,
        "longest": longest,
    }
