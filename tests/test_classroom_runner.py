"""The runner: what it reads, what it forbids, and what becomes of kernels that misbehave."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import pytest
from classroom_kernels import LIMITS, cell, graded, need_sandbox, notebook, task

from coursekit.classroom import gates, kernel, runner, watch
from coursekit.classroom.limits import Limits
from coursekit.classroom.results import clean, numbers, probe_seed
from coursekit.errors import CourseError

COURSE = cell("release", "import math\nimport random\nfrom coursekit import files\nseed = 0")
DOUBLE = "def f(x):\n    return 2 * x"


# --- reading ---------------------------------------------------------------------------------


def test_a_value_is_numbers_and_nothing_else():
    assert numbers("[1, [2.5, []], -Infinity]") == [1, [2.5, []], -math.inf]
    assert math.isnan(numbers("NaN"))
    assert numbers("9" * 400) == math.inf
    deep = "[" * 100_000 + "]" * 100_000
    wrong = [
        "",
        "[1",
        '"1"',
        "true",
        "null",
        "{}",
        '[{"a": 1}]',
        deep,
        "[" * 30 + "]" * 30,
        "1" * 10,
    ]
    for text in [*wrong[:-1], None, 3, ["1"], b"1", "[1," * 2_000_000]:
        with pytest.raises(ValueError, match="not made of numbers"):
            numbers(text)


def test_a_probe_gives_plain_numbers():
    class Everything(float):
        def __eq__(self, other):
            return True

        def __float__(self):
            return 5.0

        __hash__ = None

        def __repr__(self):
            return "1.0, 2.0"

    assert kernel.plain([Everything(3), True, (1,)]) == [3.0, 1, [1]]
    assert type(kernel.plain(Everything(3))) is float
    for value in ["1", {1}, {"a": 1}, None, [object()], 1j, b"1"]:
        with pytest.raises(TypeError, match="not made of numbers"):
            kernel.plain(value)
    endless: list = []
    endless.append(endless)
    with pytest.raises(TypeError, match="too large, or nested"):
        kernel.plain(endless)
    with pytest.raises(TypeError, match="too large"):
        kernel.plain([0] * 200_000)


def test_a_probe_leaves_no_names_behind():
    names = {"x": 1}
    assert kernel.run_probe("y = 3\n[x, y]", dict(names)) == "[1, 3]"
    with pytest.raises(TypeError, match="end with an expression"):
        kernel.run_probe("y = 3", {})


def test_text_of_a_kernel_is_made_harmless():
    assert clean("\x1b]0;title\x07\x1b[1;31mred\x1b[0m\x00\ud800\r\n\tend") == "red\n\tend"
    assert clean(None) == clean(b"x") == ""
    assert len(clean("x" * 10**6, 100)) <= 100


def test_each_probe_has_its_own_seed():
    seeds = {probe_seed(seed, name) for seed in (1, 2) for name in ("a", "b", "1:a")}
    assert len(seeds) == 6
    assert all(0 <= seed < 2**32 for seed in seeds)


# --- gates -----------------------------------------------------------------------------------

LIBRARY = {
    "__init__.py": "from mini.sums import add as plus\n",
    "sums.py": '''
        from mini.base import Base
        SCALE = 10
        def add(a, b=2, /, *rest, c=3, **more):
            """Adds."""
            return a + b + sum(rest) + c + sum(more.values())
        def counting(n):
            yield from range(n)
        class Child(Base):
            def __init__(self, k):
                super().__init__()
                self.__k = k
            def times(self):
                return self.__k * SCALE
            @property
            def half(self):
                return self.__k / 2
        class Other(Child):
            pass
    ''',
    "base.py": """
        class Base:
            def __init__(self):
                self.made = True
            @staticmethod
            def loss(x):
                return x + 0.5
    """,
    "checks/__init__.py": "",
    "checks/table.py": """
        right = {"double": lambda x: 2 * x, "triple": lambda x, k=3: k * x}
        slips = [lambda x, n=n: n * x for n in (1, 2)]
    """,
}


@pytest.fixture
def library(tmp_path):
    for name, text in LIBRARY.items():
        path = tmp_path / "source" / "mini" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return tmp_path / "source" / "mini"


class Staged:
    """A staged library, imported, with its gate."""

    def __init__(self, library, folder, monkeypatch, *forbids, others=()):
        folder.mkdir()
        originals = gates.stage(folder, forbids, library)
        monkeypatch.syspath_prepend(str(folder))
        for name in [name for name in sys.modules if name.split(".")[0] == "mini"]:
            monkeypatch.delitem(sys.modules, name)
        spec = importlib.util.spec_from_file_location(
            "coursekit_gate", folder / "coursekit_gate.py"
        )
        self.gate = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "coursekit_gate", self.gate)
        spec.loader.exec_module(self.gate)
        (folder / "known").write_text(json.dumps({"originals": originals, "others": list(others)}))
        self.control = folder / "control"
        self.forbid()
        self.gate.load(folder / "known", self.control)
        self.sums = importlib.import_module("mini.sums")
        self.table = importlib.import_module("mini.checks.table")

    def forbid(self, *names):
        self.control.write_text("\n".join(names))


NAMES = (
    "mini.sums.add", "mini.sums.counting", "mini.sums.Child.times", "mini.sums.Child.half",
    "mini.sums.Child.__init__", "mini.sums.Other.loss", "mini.checks",
)  # fmt: skip


def test_gated_functions_do_what_they_did(library, tmp_path, monkeypatch):
    s = Staged(library, tmp_path / "staged", monkeypatch, *NAMES).sums
    assert [s.add(1), s.add(1, 5, 7, c=0, d=100), s.add.__doc__] == [6, 113, "Adds."]
    assert list(s.counting(3)) == [0, 1, 2]
    child = s.Child(4)
    assert [child.made, child.times(), child.half, child.loss(1)] == [True, 40, 2.0, 1.5]
    table = sys.modules["mini.checks.table"]
    assert [table.right["double"](4), table.right["triple"](4), table.slips[1](7)] == [8, 12, 14]


def test_a_forbidden_function_is_refused_to_whoever_holds_it(library, tmp_path, monkeypatch):
    staged = Staged(library, tmp_path / "staged", monkeypatch, *NAMES)
    s, kept = staged.sums, staged.sums.add
    child, again = s.Child(4), type(kept)(kept.__code__, kept.__globals__)
    staged.forbid("mini.sums.add", "mini.sums.Child.half", "mini.sums.Other.loss", "mini.checks")
    reloaded = importlib.reload(s)
    uses = [
        lambda: kept(1), lambda: again(1, 2, c=3), lambda: reloaded.add(1),
        lambda: sys.modules["mini"].plus(1), lambda: child.half, lambda: s.Other.loss(1),
        lambda: s.Child.loss(1), lambda: staged.table.right["double"](1),
    ]  # fmt: skip
    for use in uses:
        with pytest.raises(staged.gate.Forbidden, match="write this one yourself"):
            use()
    assert child.times() == 40
    noted = ["mini.sums.add", "mini.sums.Child.half", "mini.sums.Other.loss", "mini.checks"]
    assert staged.gate.noted() == noted
    assert staged.gate.noted() == []
    staged.forbid()
    assert kept(1) == 6


def test_the_library_on_disk_holds_no_forbidden_body(library, tmp_path, monkeypatch):
    staged = Staged(library, tmp_path / "staged", monkeypatch, "mini.sums.add", "mini.checks")
    text = Path(staged.sums.__file__).read_text()
    assert "sum(rest)" not in text
    assert "self.__k * SCALE" in text
    code = "import mini.sums; mini.sums.add(1)"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(tmp_path / "staged")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Forbidden: mini.sums.add is not to be had here" in done.stderr


def test_functions_of_other_packages_are_gated_in_memory(library, tmp_path, monkeypatch):
    (tmp_path / "elsewhere.py").write_text(
        "from math import sqrt as root\ndef f(x, y=2):\n    return x * y\nkept = f\n"
        "class K:\n    def __init__(self, v):\n        self.v = v\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "elsewhere", raising=False)
    others = ("elsewhere.f", "elsewhere.root", "elsewhere.K", "elsewhere.no", "nowhere.f")
    staged = Staged(library, tmp_path / "staged", monkeypatch, others=others)
    other = importlib.import_module("elsewhere")
    assert [other.f(3), other.kept(3, y=1), other.root(9.0), other.K(5).v] == [6, 3, 3.0, 5]
    staged.forbid("elsewhere.f", "elsewhere.root", "elsewhere.K")
    for use in (lambda: other.kept(3), lambda: other.root(9.0), lambda: other.K(5)):
        with pytest.raises(staged.gate.Forbidden):
            use()


@pytest.mark.parametrize("name", ["mini.sums.nothing", "mini.sums.Child.no", "mini.no.x", "mini"])
def test_a_forbidden_name_must_exist(name, library, tmp_path):
    with pytest.raises(CourseError, match="forbids mini"):
        gates.stage(tmp_path / "staged", [name], library)


def test_the_course_library_can_be_staged(tmp_path):
    names = [
        "coursekit.likelihoods.Bernoulli.log_prob", "coursekit.models.linear_gaussian"
        ".LinearGaussianVAE.loss", "coursekit.priors.MixtureOfGaussians.sample",
    ]  # fmt: skip
    originals = gates.stage(tmp_path, names)
    ruled = {rule for rules, _ in originals.values() for rule in rules}
    assert ruled == {*names, "coursekit.checks"}
    assert not (tmp_path / "coursekit" / "classroom").exists()
    assert (tmp_path / "coursekit" / "references.json").exists()


# --- running ---------------------------------------------------------------------------------


def test_a_run_from_the_first_cell_to_the_last():
    """One kernel, for all that does not end it."""
    hooks = """
        ip = get_ipython()
        ip.events.register("pre_run_cell", lambda *a: 1 / 0)
        ip.display_formatter.formatters["text/plain"].for_type(list, lambda *a: a[1].text("[7]"))
        ip.input_transformers_cleanup.append(lambda lines: ["[7.0]"])
        class Seven(__import__("ast").NodeTransformer):
            def visit_Constant(self, node):
                return node
            def visit_Expr(self, node):
                raise RuntimeError("broken")
        ip.ast_transformers.append(Seven())
        import builtins, sys
        sys.displayhook = lambda value: None
    """
    left_behind = """
        import threading, time, subprocess
        def beat():
            while True:
                time.sleep(0.02)
        for _ in range(5):
            threading.Thread(target=beat).start()
        subprocess.Popen(["sleep", "1000"])
        def f(x):
            return 2 * x
    """
    run, found = graded(
        COURSE,
        *task("right", DOUBLE, probe="draw = random.Random(seed)\n[f(draw.random()), seed]"),
        *task("blank", 'def f(x):\n    raise NotImplementedError("yours")'),
        *task("nothing", "", extra=["del f"]),
        *task("broken", "def f(x)\n    return x", extra=["1 / 0"]),
        *task("words", 'def f(x):\n    return "2"'),
        *task("shadows", "math = random = 3\n" + DOUBLE, probe="f(math.floor(2.5))"),
        *task("left", textwrap.dedent(left_behind)),
        *task("big", "def f(x):\n    return [0] * 10**6"),
        *task("leaves", "import sys\ndef f(x):\n    sys.exit()"),
        *task("interrupts", "def f(x):\n    raise KeyboardInterrupt"),
        *task("asks", 'def f(x):\n    return float(input("the answer? "))'),
        *task("skips", "# NBVAL_SKIP\ndef f(x):\n    return 3 * x"),
        *task("loops", "def f(x):\n    while True: pass"),
        *task("after", DOUBLE),
        *task("unicode", "def f(x):\n    raise ValueError('\\ud800\\x1b[31m\\x00' + 'x' * 9999)"),
        *task("hooks", DOUBLE, extra=[textwrap.dedent(hooks).strip()]),
        *task("after-hooks", DOUBLE, probe="f(4)"),
    )
    assert run.kernels == 1
    assert found["right"]["probe"].value[1] == probe_seed(5, "right")
    assert found["right"]["check"].message == "checked right\n"
    assert found["blank"]["probe"].message == "NotImplementedError: yours"
    assert found["nothing"]["probe"].message.startswith("NameError")
    assert found["broken"]["exercise"].message.startswith("SyntaxError: expected ':'")
    assert found["broken"]["extra"].message.startswith("ZeroDivisionError: division by zero\n")
    assert found["words"]["probe"].message.endswith("not made of numbers: it holds a str")
    for name in ("shadows", "left", "after"):
        assert (found[name]["probe"].status, found[name]["probe"].value) == ("ok", 4), name
    assert "too large" in found["big"]["probe"].message
    assert found["leaves"]["probe"].message == "SystemExit: "
    assert found["interrupts"]["probe"].status == "error"
    assert found["asks"]["probe"].status == "error"
    assert found["skips"]["probe"].value == 6
    assert found["loops"]["probe"].status == "timeout"
    assert found["loops"]["check"].status == "skipped"
    assert len(found["unicode"]["probe"].message) < 4100
    assert "\x1b" not in found["unicode"]["probe"].message
    # Whatever hooks do, a probe's value is the value of its last line.
    assert [found[name]["probe"].value for name in ("hooks", "after-hooks")] == [4, 8]
    json.dumps([found["unicode"]["probe"].message])


def test_deaths_cost_the_exercise_and_no_other():
    deaf = """
        import signal, time
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        def f(x):
            while True:
                try:
                    time.sleep(9)
                except BaseException:
                    pass
    """
    run, found = graded(
        COURSE,
        *task("first", DOUBLE),
        *task("exits", "import os\nos._exit(3)"),
        *task("second", "", probe="f(3)"),  # f of the first exercise is there again
        *task("crashes", "import ctypes\ndef f(x):\n    ctypes.string_at(0)"),
        *task("deaf", textwrap.dedent(deaf), "math.pow"),
        *task("third", DOUBLE),
        limits=Limits(cell_seconds=2, total_seconds=200, memory_mb=700),
    )
    assert found["exits"]["exercise"].status == "died"
    assert "exit code 3" in found["exits"]["exercise"].message
    assert found["second"]["probe"].value == 6
    assert found["crashes"]["probe"].status == "died"
    assert "SIGSEGV" in found["crashes"]["probe"].message
    assert found["crashes"]["check"].status == "skipped"
    assert found["deaf"]["probe"].status == "timeout"
    assert found["third"]["probe"].value == 4
    assert run.kernels <= 6


def test_what_one_exercise_leaves_behind_does_not_end_the_others():
    killer = """
        import os, threading, time
        threading.Thread(target=lambda: (time.sleep(0.4), os._exit(4)), daemon=True).start()
    """
    slow = "import time\ntime.sleep(0.8)\nf(5)"
    _, found = graded(
        COURSE,
        *task("kills", textwrap.dedent(killer), probe="0"),
        *task("patient", DOUBLE, probe=slow),
        *task("after", DOUBLE, probe=slow),
    )
    assert found["patient"]["probe"].value == 10
    assert found["after"]["probe"].value == 10


def test_extra_cells_cannot_use_up_the_time():
    sleep = cell("extra", "import time\ntime.sleep(60)")
    _, found = graded(
        COURSE, *[sleep] * 6, *task("right", DOUBLE), limits=Limits(1, 60, memory_mb=700)
    )
    assert found["right"]["probe"].value == 4
    assert "extra cells" in found[None]["extra"].message


def test_forbidden_functions_in_a_kernel():
    names = ("coursekit.files.sha256", "math.pow")
    kept = "keep = files.sha256\nfrom math import pow as power\n"
    _, found = graded(
        COURSE,
        *task("direct", "def f(x):\n    return files.sha256('/etc/passwd')", *names),
        *task("kept", f"{kept}def f(x):\n    return keep('/etc/passwd')", *names),
        *task("caught", "def f(x):\n    try:\n        return math.pow(x, 2)\n"
              "    except Exception:\n        return 4", *names),
        *task("alias", "def f(x):\n    return power(x, 2)", *names),
        *task("free", "def f(x):\n    return power(x, 2) + len(keep('/etc/passwd'))"),
        *task("checks", "from coursekit.checks import parts\ndef f(x):\n    parts.normal(1, [1])"),
        cell("extra", "print(files.sha256('/etc/passwd'))"),
    )  # fmt: skip
    for name in ("direct", "kept"):
        assert found[name]["probe"].forbidden == ("coursekit.files.sha256",), name
        assert found[name]["probe"].message.startswith("Forbidden: coursekit.files.sha256")
    assert (found["caught"]["probe"].value, found["caught"]["probe"].forbidden) == (
        4,
        ("math.pow",),
    )
    assert found["alias"]["probe"].forbidden == ("math.pow",)
    assert (found["free"]["probe"].value, found["free"]["probe"].forbidden) == (68, ())
    assert found[None]["extra"].status == "ok"


def test_each_cell_finds_things_in_order():
    """What one exercise replaces is put back before the next one's cells."""
    havoc = """
        import builtins, math, random
        builtins.len = lambda x: 7
        math.floor = random.Random = lambda x: 7
        shell = get_ipython()
        shell.run_cell_async = shell.run_cell = lambda *a, **k: 7
        shell.ast_transformers.append(7)
        shell.input_transformers_cleanup.append(lambda lines: ["7"])
        shell.events.register("pre_run_cell", lambda *a: 7)
        try:
            shell.kernel.do_execute = 7
        except AttributeError:
            pass
    """
    probe = "[f(math.floor(2.5)), len('four'), random.Random(seed).random() < 1]"
    run, found = graded(
        COURSE, *task("havoc", textwrap.dedent(havoc)), *task("after", DOUBLE, probe=probe)
    )
    assert found["after"]["probe"].value == [4, 4, 1]
    assert run.kernels == 1


def test_what_one_exercise_uses_up_is_there_for_the_next():
    fill = "open('/tmp/full', 'wb').write(bytes(39 * 2**20))\ndef f(x): return 2 * x"
    save = "def f(x):\n    open('/tmp/mine', 'wb').write(bytes(5 * 2**20))\n    return 2 * x"
    _, found = graded(COURSE, *task("fills", fill), *task("saves", save), *task("after", DOUBLE))
    assert [found[name]["probe"].value for name in ("fills", "saves", "after")] == [4, 4, 4]


def test_a_slip_of_the_instructor_is_told():
    with pytest.raises(CourseError, match=r"forbids coursekit\.files\.nothing"):
        graded(*task("x", DOUBLE, "coursekit.files.nothing"))


def test_a_kernel_that_does_not_start_counts_for_nothing(monkeypatch):
    with pytest.raises(CourseError, match="counts for nothing"):
        graded(*task("x", DOUBLE), limits=Limits(start_seconds=0.01))


def test_nothing_stays_behind(tmp_path, monkeypatch):
    """No folder and no process, in the middle of which run the grader may be killed."""
    need_sandbox()
    code = textwrap.dedent(
        f"""
        import sys
        sys.path[:0] = {sys.path!r}
        from classroom_kernels import *
        made = notebook(cell("extra", "import os\\nos.fork()\\nwhile True: pass"))
        if __name__ == "__main__":
            execute(made, 1, Limits(cell_seconds=100))
        """
    )
    (tmp_path / "grader.py").write_text(code)
    environment = {**os.environ, "TMPDIR": tempfile.mkdtemp(prefix="t-", dir="/tmp")}
    folder = Path(environment["TMPDIR"])
    process = subprocess.Popen([sys.executable, str(tmp_path / "grader.py")], env=environment)
    below: dict = {}
    try:
        for _ in range(600):
            below = watch.descendants(process.pid)
            names = [Path(f"/proc/{one}/cmdline").read_bytes() for one in below]
            if sum(b"kernel.py" in name for name in names) >= 4:  # bwrap twice, python twice
                break
            time.sleep(0.1)
        assert any(folder.iterdir())
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    for _ in range(300):
        left = [one for one in below if one != process.pid and Path(f"/proc/{one}").exists()]
        if not left and not any(folder.iterdir()):
            break
        time.sleep(0.1)
    assert left == []
    assert list(folder.iterdir()) == []
    folder.rmdir()


def test_without_a_sandbox_it_runs_too():
    _, found = graded(
        COURSE,
        *task("right", DOUBLE),
        *task("exits", "import os\nos._exit(3)"),
        *task("forbidden", "def f(x):\n    return math.pow(x, 2)", "math.pow"),
        *task("after", DOUBLE),
        sandboxed=False,
    )
    assert found["right"]["probe"].value == found["after"]["probe"].value == 4
    assert found["exits"]["exercise"].status == "died"
    assert found["forbidden"]["probe"].forbidden == ("math.pow",)


def test_torch_trains_a_step_inside_the_limits():
    step = """
        import torch
        torch.rand = torch.Tensor.tolist = torch.nn.Linear.forward = lambda *a, **k: [7]
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        def f(seed):
            net = torch.nn.Sequential(torch.nn.Conv2d(1, 8, 3), torch.nn.Flatten(),
                                      torch.nn.Linear(8 * 26 * 26, 10)).float()
            best = torch.optim.Adam(net.parameters())
            loss = net(torch.rand(32, 1, 28, 28, generator=torch.Generator().manual_seed(seed)))
            loss.square().mean().backward()
            best.step()
            return torch.rand(2, generator=torch.Generator().manual_seed(seed)).tolist()
    """
    probe = "g = torch.Generator().manual_seed(3)\n[f(3), torch.rand(2, generator=g).tolist()]"
    _, found = graded(
        cell("release", "import torch"), *task("step", textwrap.dedent(step), probe=probe),
        limits=Limits(cell_seconds=120),
    )  # fmt: skip
    first, second = found["step"]["probe"].value
    assert first == second


def test_nothing_to_run():
    need_sandbox()
    assert runner.run(notebook(), 1, LIMITS) == []
