"""Answers that take more memory, disk, output or processes than there is."""

from attacks import Attack

CHILDREN = """
import os
def {f}(text):
    for _ in range(20):
        if os.fork() == 0:
            hold = bytearray(150_000_000)
            while True: pass
    while True: pass
"""
SILENT = """
import os
def {f}(text):
    while True:
        os.write(2, b"x" * 65536)
"""
THREADS = """
import threading, time
def {f}(text):
    for _ in range(10_000):
        threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
    RIGHT
"""
FILES = """
def {f}(text):
    for n in range(100):
        with open("file-%d" % n, "wb") as file:
            file.write(bytes(10**6))
    RIGHT
"""
ELSEWHERE = """
import os
def {f}(text):
    wrote = []
    for folder, folders, _ in os.walk("/"):
        if folder.count("/") > 3 or folder in ("/proc", "/tmp", "/dev/shm"):
            folders[:] = []
        else:
            try:
                open(os.path.join(folder, "x"), "w").close()
                wrote.append(folder)
            except OSError:
                pass
    raise RuntimeError(f"wrote to {wrote}")
"""
DISPLAYS = """
from IPython.display import display
def {f}(text):
    while True: display(text)
"""

# On a busy machine the time is up first.
MUCH, FORKS = "output|Took too long", "processes|Took too long"

ATTACKS = [
    Attack(
        "memory",
        "def {f}(text):\n    kept = []\n    while True: kept.append(bytearray(10**7))",
        says="Memory|Took too long",
    ),
    Attack("memory of children", CHILDREN, says="MB of memory|Took too long|processes"),
    Attack("prints for ever", "def {f}(text):\n    while True: print('x' * 99)", says=MUCH),
    Attack("prints much at once", "def {f}(text):\n    print('x' * 10**7)", says=MUCH),
    Attack("displays for ever", DISPLAYS, says=MUCH),
    Attack("right, among them", "def {f}(text):\n    RIGHT", earns=True),
    # the next submission
    Attack("past Python, to the process's own output", SILENT, says=MUCH),
    Attack("fork bomb", "import os\ndef {f}(text):\n    while True: os.fork()", says=FORKS),
    Attack("threads", THREADS, says="can't start new thread"),
    Attack("disk", FILES, says="No space left"),
    Attack("writes elsewhere", ELSEWHERE, says="wrote to []"),
    Attack("a huge file", "def {f}(text):\n    open('/dev/shm/x', 'wb').truncate(10**12)",
           says="OSError"),
    # the next submission
    Attack("a huge result", "def {f}(text):\n    return [1] * 10**7", says="too large"),
    Attack("a deep result", "def {f}(text):\n    x = []\n    for _ in range(10**5): x = [x]\n"
           "    return x", says="nested too deeply"),
    Attack("a result that holds itself", "x = []\nx.append(x)\ndef {f}(text):\n    return x",
           says="nested too deeply"),
    Attack("a huge complaint", "def {f}(text):\n    raise ValueError('x' * 10**8)", says="xxx"),
    Attack("a huge number", "def {f}(text):\n    return [10**4000] * 4", says="Not right"),
    Attack("right, among them", "def {f}(text):\n    RIGHT", earns=True),
]  # fmt: skip
