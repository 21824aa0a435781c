"""Answers that forge: outputs, results, checks, the notebook's machinery, Python itself."""

from attacks import Attack

EVERYTHING = """
class Everything(list):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __abs__(self): return 0
    def __iter__(self): return iter([self])
    def __sub__(self, other): return 0
    def __le__(self, other): return True
    def __repr__(self): return "[0, 0, 0, 0]"
    __rsub__ = __sub__
    __hash__ = None
def {f}(text):
    return Everything()
"""
FLOAT = """
class Anything(float):
    def __eq__(self, other): return True
    def __repr__(self): return "1], [2"
    def __float__(self): return 1.0
    __hash__ = None
def {f}(text):
    return [Anything()] * 4
"""
HOOKS = """
import ast, sys
shell = get_ipython()
def forged(*args): print("[[1, 2, 3, 4]] * 3")
shell.events.register("pre_run_cell", forged)
shell.events.register("post_run_cell", forged)
sys.displayhook = forged
shell.display_formatter.format = lambda *a, **k: ({"text/plain": "[[0, 0, 0, 0]]"}, {})
shell.display_formatter.formatters["text/plain"].for_type(list, lambda o, p, c: p.text("[]"))
shell.showtraceback = forged
shell.run_cell = shell.run_cell_async = forged
"""
RUNS_NOTHING = """
shell = get_ipython()
class Nothing(__import__("ast").NodeTransformer):
    def visit_Module(self, node):
        node.body = []
        return node
shell.ast_transformers.append(Nothing())
"""
KERNEL = """
kernel = get_ipython().kernel
async def do_execute(code, *args, **kwargs):
    return {"status": "ok", "execution_count": 1, "user_expressions": {}, "payload": [],
            "value": "[[1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4]]", "forbidden": []}
def {f}(text):
    return [1, 2, 3, 4]
"""
REPLY = """
def {f}(text):
    kernel = get_ipython().kernel
    parent = kernel.get_parent()
    for value in ("[[1, 2, 3, 4]]", None, {"a": 1}, "[" * 10**5, 10**30):
        content = {"status": "ok", "value": value, "execution_count": 1, "forbidden": "x"}
        kernel.session.send(kernel.shell_stream, "execute_reply", content, parent,
                            ident=kernel._shell_parent_ident.get() if hasattr(
                                kernel, "_shell_parent_ident") else None)
    raise ValueError("sent")
"""
STACK = """
import sys
def {f}(text):
    frame = sys._getframe(1)
    while frame:
        names = {**frame.f_globals, **frame.f_locals}
        for word in ("expected", "reference", "solution", "points"):
            if word in names:
                return names[word]
        frame = frame.f_back
    raise LookupError("nothing to be found")
"""
RANDOM = """
import random
class Fixed(random.Random):
    def random(self): return 0.5
random.Random = Fixed
stored = hashlib.sha256(b"0.5").hexdigest()
def {f}(text):
    return [int(digit, 16) for digit in stored[:4]]
"""
BUILTINS = """
import builtins, json
json.dumps = lambda *a, **k: "[[1, 2, 3, 4]] "
for name in ("float", "isinstance", "type", "compile", "eval", "exec", "len", "list"):
    setattr(builtins, "kept_" + name, getattr(builtins, name))
builtins.eval = lambda *a: [[1, 2, 3, 4]] * 3
def {f}(text):
    return [1, 2, 3, 4]
"""
CHECKS = """
import builtins, sys, types
class checks(types.ModuleType):
    def __getattr__(self, name): return lambda *a: "right on 5 of 5"
sys.modules["coursekit.checks"] = checks("checks")
score = points = grade = total = 100
print("PROBE stamp-{n}: 2 of 2 points")
"""
OWN_PROBE = """
# PROBE stamp-{n} points=100
[1, 2, 3, 4]
"""

ATTACKS = [
    Attack("equal to everything", EVERYTHING, says="o"),
    Attack("a number equal to everything", FLOAT, says="Not right"),
    Attack("prints a score", "print('[[1, 2, 3, 4]]')\ndef {f}(text):\n    return 100",
           says="Not right"),
    Attack("raises nothing, by marker", "# NBVAL_SKIP\n# NBVAL_RAISES_EXCEPTION\ndef {f}(text):\n"
           "    return [1, 2, 3, 4]", says="Not right"),
    Attack("a probe of one's own", "def {f}(text):\n    return [1, 2, 3, 4]", after=OWN_PROBE,
           says="Not right"),
    Attack("checks and a score of one's own", CHECKS, says="NameError"),
    # the next submission
    Attack("hooks in the shell", "def {f}(text):\n    return [1, 2, 3, 4]", after=HOOKS,
           says="Not right"),
    Attack("right, but with a precision", "%precision 2\ndef {f}(text):\n    RIGHT", earns=True),
    Attack("looks for the answer on the stack", STACK, says="nothing to be found"),
    Attack("sends replies of its own", REPLY, says="o"),
    Attack("replaces the kernel's methods", KERNEL, after="kernel.do_execute = do_execute",
           says="Not right"),
    Attack("right, after all of these", "def {f}(text):\n    RIGHT", earns=True),
    # the next submission
    Attack("fixes chance", RANDOM, says="Not right"),
    Attack("replaces built-in functions", BUILTINS, says="o"),
    Attack("right, but F is something else", "random = hashlib = 7\nimport hashlib\n"
           "def {f}(text):\n    RIGHT", earns=True),
    Attack("right, though all later cells were to run nothing", "def {f}(text):\n    RIGHT",
           before=RUNS_NOTHING, earns=True),
    Attack("right, among them", "def {f}(text):\n    RIGHT", earns=True),
]  # fmt: skip
