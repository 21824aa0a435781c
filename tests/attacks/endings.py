"""Answers that come to no end, or end the process they run in."""

from attacks import Attack

DEAF = """
import signal, time
def {f}(text):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            time.sleep(100)
        except BaseException:
            pass
"""
BLOCKED = """
import ctypes
def {f}(text):
    ctypes.PyDLL(None).sleep(1000)  # in C, and never lets anything else run
"""
LATER = """
import os, threading, time
threading.Thread(target=lambda: (time.sleep(0.3), os._exit(7)), daemon=True).start()
def {f}(text):
    RIGHT
"""
CLOSES = """
import os
def {f}(text):
    os.closerange(3, 1000)
    RIGHT
"""

ATTACKS = [
    Attack("endless loop", "def {f}(text):\n    while True: pass", says="Took too long"),
    Attack("endless loop in the cell", "while True: pass", says="Took too long"),
    Attack("does not heed the interrupt", DEAF, says="Took too long"),
    Attack("os._exit", "import os\ndef {f}(text):\n    os._exit(0)", says="exit code 0"),
    Attack("os._exit in the cell", "import os\nos._exit(1)", says="exit code 1"),
    Attack("right, among them", "def {f}(text):\n    RIGHT", earns=True),
    # the next submission
    Attack("crash", "import ctypes\ndef {f}(text):\n    ctypes.string_at(0)", says="SIGSEGV"),
    Attack("abort", "import os\ndef {f}(text):\n    os.abort()", says="SIGABRT"),
    Attack(
        "kills its group",
        "import os\ndef {f}(text):\n    os.killpg(0, 9)",
        says="Ended the kernel",
    ),
    Attack("closes the kernel's files", CLOSES, says="Ended the kernel"),
    Attack("exits after a while, from a thread", LATER, earns=True),
    Attack(
        "right, among them", "import time\ntime.sleep(0.6)\ndef {f}(text):\n    RIGHT", earns=True
    ),
    # the next submission
    Attack("blocks the interpreter", BLOCKED, says="Took too long"),
    Attack(
        "stops itself",
        "import os, signal\ndef {f}(text):\n    os.kill(os.getpid(), signal.SIGSTOP)",
        says="Took too long",
    ),
    Attack(
        "becomes another program",
        "import os\ndef {f}(text):\n    os.execv('/bin/true', ['true'])",
        says="Ended the kernel",
    ),
    Attack("leaves politely", "import sys\ndef {f}(text):\n    sys.exit(0)", says="SystemExit"),
    Attack(
        "shuts the kernel down", "exit()\nget_ipython().kernel.do_shutdown(False)", says="NameError"
    ),
    Attack("right, among them", "def {f}(text):\n    RIGHT", earns=True),
]
