"""Answers that try to have the library's own block do the work."""

from attacks import LIBRARY, Attack

CALL = f"{LIBRARY}\ndef {{f}}(text):\n    return by_library(text"
WRITE = "Calls the library's own block"
SUBPROCESS = """
import subprocess, sys
def {f}(text):
    code = "import sys; from coursekit import files; print(files.sha256(sys.argv[1]))"
    open("/tmp/text", "w").write(text)
    done = subprocess.run([sys.executable, "-c", code, "/tmp/text"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-200:]
    return [int(digit, 16) for digit in done.stdout[:4]]
"""
FORKED = f"""
import multiprocessing
context = multiprocessing.get_context("fork")
{LIBRARY}
def serve(pipe):
    while True:
        text = pipe.recv()
        try:
            pipe.send(by_library(text))
        except Exception as error:
            pipe.send(repr(error))
ours, theirs = context.Pipe()
helper = context.Process(target=serve, args=(theirs,), daemon=True)
helper.start()
def {{f}}(text):
    ours.send(text)
    answer = ours.recv()
    assert isinstance(answer, list), answer
    return answer
"""
THREAD = f"""
import queue, threading
{LIBRARY}
asked, told = queue.Queue(), queue.Queue()
def work():
    while True:
        try:
            told.put(by_library(asked.get()))
        except BaseException as error:
            told.put(repr(error))
threading.Thread(target=work, daemon=True).start()
def {{f}}(text):
    asked.put(text)
    return told.get()
"""
SOURCE = f"""
import inspect
space = dict(vars(files))
exec(inspect.getsource(files), space)
{LIBRARY}
def {{f}}(text):
    return by_library(text, space["sha256"])
"""
CODE = f"""
import types
copied = types.FunctionType(files.sha256.__code__, vars(files))
{LIBRARY}
def {{f}}(text):
    return by_library(text, copied)
"""
RELOAD = f"""
import importlib
{LIBRARY}
def {{f}}(text):
    return by_library(text, importlib.reload(files).sha256)
"""
FRESH = f"""
import importlib.util, sys
{LIBRARY}
def {{f}}(text):
    spec = importlib.util.spec_from_file_location("mine", files.__file__)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return by_library(text, module.sha256)
"""
CONTROL = f"""
import glob, os, sys
{LIBRARY}
def {{f}}(text):
    for path in sys.argv + glob.glob("/tmp/**/forbidden", recursive=True):
        try:
            open(path, "w").close()
        except OSError:
            pass
    open_file = os.open
    os.open = lambda path, *rest, **more: open_file("/dev/null", os.O_RDONLY)
    try:
        return by_library(text)
    finally:
        os.open = open_file
"""
CAUGHT = f"""
{LIBRARY}
def {{f}}(text):
    try:
        by_library(text)
    except BaseException:
        pass
    RIGHT
"""
HOOKED = f"""
{LIBRARY}
asked = []
def answer(*args):
    print([by_library(text) for text in asked])
get_ipython().events.register("post_run_cell", answer)
get_ipython().events.register("post_execute", answer)
def {{f}}(text):
    asked.append(text)
    return [0, 0, 0, 0]
"""
OTHER = """
def {f}(text):
    open("/tmp/text", "w").write(text)
    with open("/tmp/text", "rb") as file:
        return [int(digit, 16) for digit in hashlib.file_digest(file, "sha256").hexdigest()[:4]]
"""

ATTACKS = [
    Attack("calls it", f"{CALL})", says=WRITE),
    Attack("under another name", f"from coursekit.files import sha256 as mine\n{CALL}, mine)",
           says=WRITE),
    Attack("kept before", f"{CALL}, kept)", before="kept = files.sha256", says=WRITE),
    Attack("its code, copied", CODE, says=WRITE),
    Attack("its module, loaded again", RELOAD, says=WRITE),
    Attack("its source, run again", SOURCE, says=WRITE),
    # the next submission
    Attack("its file, under another name", FRESH, says=WRITE),
    Attack("in another process", SUBPROCESS, says="is not to be had here"),
    Attack("in a process that was started before", FORKED, says="write this one yourself"),
    Attack("in a thread that was started before", THREAD, says=WRITE),
    Attack("tries to open the gate", CONTROL, says=WRITE),
    Attack("hides that it was refused", CAUGHT, says=WRITE),
    # the next submission
    Attack("afterwards, by a hook", HOOKED, says="Not right"),
    Attack("another package's block", OTHER, says="o"),
    Attack("uses the library for something else",
           "kept = files.sha256(files.__file__)\ndef {f}(text):\n    RIGHT", earns=True),
]  # fmt: skip
