"""A kernel that is watched: nbval's kernel runner, shut in, with limits that hold from outside."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zmq
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import KernelManager
from nbval.kernel import RunningKernel

from coursekit.classroom import gates, namespaces, watch
from coursekit.classroom.limits import Limits
from coursekit.classroom.results import MAX_PRINTED, clean

LOOK_SECONDS = 0.25  # how often the kernel is looked at
GRACE_SECONDS = 3.0  # how long an interrupted cell may take to end
IDLE_SECONDS = 10.0  # how long the rest of a cell's output may take to come
MAX_MESSAGES = 20_000  # of one cell


@dataclass
class Outcome:
    """What came of running a piece of code.

    Attributes:
        status: "ok", "error", "timeout" or "died".
        reply: what the kernel answered; nothing in it is to be trusted.
        printed: what it printed.
        reason: for "timeout" and "died", why.
    """

    status: str = "ok"
    reply: dict[str, Any] = field(default_factory=dict)
    printed: str = ""
    reason: str = ""


class _Trouble(Exception):
    """The kernel has to go; the message says why."""


class _Specs(KernelSpecManager):
    """Knows one kernel: ours."""

    def __init__(self, argv: Sequence[str], env: dict[str, str]) -> None:
        super().__init__()
        self._spec = KernelSpec(
            argv=list(argv),
            env=env,
            interrupt_mode="message",
            language="python",
            display_name="kernel",
        )

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return self._spec


class StrictKernel(RunningKernel):
    """A kernel in the sandbox, started afresh.

    Args:
        folder: an empty folder of its own, with a short path (sockets stand in it).
        forbids: every name that some probe forbids.
        limits: what it may use.
        mode: how it is shut in (`sandbox.Protection.mode`).
        grader: this process's parent; with it the kernel ends.

    Raises:
        RuntimeError: it did not start; says why.
    """

    def __init__(
        self, folder: Path, forbids: Sequence[str], limits: Limits, mode: str, grader: int
    ) -> None:
        self.limits, self.mode = limits, mode
        self.place = namespaces.Place(
            visible=folder / "seen",
            sockets=folder / "sockets",
            library=folder / "seen" / "library",
            data=folder / "seen" / "data",
        )
        started = time.monotonic()
        self._originals, self._control = gates.furnish(self.place, forbids)
        self._received = self._messages_seen = 0
        self._looked, self._said = 0.0, b""
        self._grader = grader
        context = zmq.Context()
        # A message larger than all a cell may print is not even received.
        context.MAXMSGSIZE = (limits.output_kb + 1024) * 1024
        context.RCVHWM = 64
        self._context = context
        self._launch()
        self.kc = self.km.client(context=context)
        self.kc.start_channels(shell=True, iopub=True, stdin=False, hb=False, control=True)
        self._poller = zmq.Poller()
        self._channels = {
            channel.socket: name
            for name, channel in (
                ("shell", self.kc.shell_channel),
                ("iopub", self.kc.iopub_channel),
                ("control", self.kc.control_channel),
            )
        }
        for socket in self._channels:
            self._poller.register(socket, zmq.POLLIN)
        # A connection breaks only where something larger than allowed was sent, or at the end.
        self._breaks = self.kc.iopub_channel.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self._poller.register(self._breaks, zmq.POLLIN)
        try:
            self._wait_until_ready(started + limits.start_seconds)
        except BaseException:
            self.stop()
            raise
        self._close_up()
        self.start_seconds = time.monotonic() - started

    def _launch(self) -> None:
        # Everything of the connection file but its place is inside; so the kernel sees it too.
        inner = [
            namespaces.python(), str(self.place.visible / "kernel.py"), str(self._originals),
            str(self._control), "-f", "{connection_file}", "--HistoryManager.enabled=False",
        ]  # fmt: skip
        bounds = namespaces.Bounds(
            self.limits.memory_mb, self.limits.disk_mb, int(self.limits.total_seconds) + 60,
            self.limits.threads, self.limits.open_files,
        )  # fmt: skip
        argv = namespaces.command(inner, self.place, bounds, self.mode)
        env = namespaces.environment(self.place, self.mode != "none")
        self.km = KernelManager(
            kernel_spec_manager=_Specs(argv, env), kernel_name="kernel", transport="ipc",
            ip=str(self.place.sockets / "s"),
            connection_file=str(self.place.visible / "connection.json"),
        )  # fmt: skip
        self.km.write_connection_file()
        os.chmod(self.km.connection_file, 0o644)
        self.km.start_kernel(
            cwd=str(self.place.sockets.parent), env=env,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        os.set_blocking(self._process.stderr.fileno(), False)

    @property
    def _process(self) -> Any:
        provisioner: Any = self.km.provisioner
        return provisioner.process

    @property
    def process(self) -> int | None:
        """The id of the outermost process of the kernel, while it lives."""
        running = self._process
        return running.pid if running is not None and running.poll() is None else None

    def _wait_until_ready(self, deadline: float) -> None:
        """Wait for an answer on each channel: then nothing has to find a socket any more."""
        waiting, asked = {"shell", "iopub", "control"}, 0.0
        while waiting:
            now = time.monotonic()
            if now > deadline:
                limit = f"{self.limits.start_seconds:g} s"
                raise RuntimeError(f"the kernel did not start within {limit}")
            if now - asked > 1:
                asked = now
                for channel in (self.kc.shell_channel, self.kc.control_channel):
                    channel.send(self.kc.session.msg("kernel_info_request"))
            for name, _ in self._messages(0.1):
                waiting.discard(name)
            try:
                self._look()
            except _Trouble as trouble:
                self._drain()
                words = clean(self._said.decode("utf-8", "replace")).strip().rpartition("\n")[2]
                raise RuntimeError(f"the kernel did not start: {trouble}; {words}") from None

    def _close_up(self) -> None:
        """Take away what only the start needed, before any of the notebook's code runs.

        A folder that is removed stays mounted inside, but nothing can be written there any more:
        so nothing that the kernel can write to lies on this machine's disk.
        """
        self._originals.unlink()
        if self.mode != "none":
            shutil.rmtree(self.place.sockets)

    def forbid(self, names: Sequence[str]) -> None:
        """Say which functions refuse from now on (see `gate`)."""
        temporary = self._control.with_suffix(".new")
        temporary.write_text("\n".join(names), encoding="utf-8")
        temporary.chmod(0o644)
        temporary.replace(self._control)

    def _messages(self, seconds: float) -> Iterator[tuple[str, dict[str, Any]]]:
        """What arrives: (channel, message); at most a few, so that the kernel is looked at."""
        for socket, _ in self._poller.poll(int(seconds * 1000)):
            if socket is self._breaks:
                self._poller.unregister(socket)
                time.sleep(LOOK_SECONDS)  # an end takes a moment to be seen
                self._looked = 0.0
                self._look()
                raise _Trouble(f"more than {self.limits.output_kb} kB of output at once")
            for _ in range(100):
                try:
                    frames = socket.recv_multipart(zmq.NOBLOCK)
                except zmq.Again:
                    break
                self._received += sum(map(len, frames))
                self._messages_seen += 1
                much = self._received > self.limits.output_kb * 1024
                if much or self._messages_seen > MAX_MESSAGES:
                    raise _Trouble(f"more than {self.limits.output_kb} kB of output")
                try:
                    _, parts = self.kc.session.feed_identities(frames)
                    message = self.kc.session.deserialize(parts)
                    if not isinstance(message["content"], dict):
                        raise ValueError("content")
                except Exception as error:
                    raise _Trouble("it sent messages that nobody can read") from error
                yield self._channels[socket], message

    def _look(self) -> None:
        """Raise _Trouble if the kernel is dead or takes too much."""
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        if os.getppid() != self._grader:
            raise KeyboardInterrupt("the grader is gone")
        self._drain()
        process = self.process
        if process is None:
            raise _Trouble(self._last_words())
        usage = watch.usage(process, self.limits.memory_mb)
        if usage.memory_mb > self.limits.memory_mb:
            raise _Trouble(f"more than {self.limits.memory_mb} MB of memory")
        if usage.processes > self.limits.processes:
            raise _Trouble(f"more than {self.limits.processes} processes")

    def _drain(self) -> None:
        """Read what the kernel's processes say past IPython, before the pipe is full."""
        with suppress(OSError, AttributeError, ValueError):
            for _ in range(16):
                text = self._process.stderr.read1(1 << 16)
                if not text:
                    break
                self._said = (self._said + text)[-1000:]

    def _last_words(self) -> str:
        running = self._process
        code = running.poll() if running is not None else None
        if code is None:
            return "the kernel is gone"
        number = code - 128 if code > 128 else -code
        names = {int(known): known.name for known in signal.Signals}
        if number > 0:
            return f"the kernel was ended by {names.get(number, f'signal {number}')}"
        return f"the kernel left with exit code {code}"

    def execute(self, source: str, seconds: float) -> Outcome:
        """Run code and wait for its end, however it comes.

        Args:
            source: the code; its first line may make it a probe (see `kernel`).
            seconds: how long it may take.

        Returns:
            What came of it. After "died" the kernel is gone and this object of no more use.
        """
        self._received = self._messages_seen = 0
        outcome = Outcome()
        try:
            self._converse(source, seconds, outcome)
        except _Trouble as trouble:
            if outcome.status != "timeout":
                outcome.status, outcome.reason = "died", str(trouble)
            self.stop()
        return outcome

    def _converse(self, code: str, seconds: float, outcome: Outcome) -> None:
        message = self.execute_cell_input(code, allow_stdin=False)
        deadline = time.monotonic() + seconds
        replied, idle = 0.0, False
        while not (replied and idle):
            for channel, content in self._messages(LOOK_SECONDS):
                parent = content.get("parent_header")
                ours = isinstance(parent, dict) and parent.get("msg_id") == message
                kind, body = content.get("msg_type"), content["content"]
                if channel == "shell" and ours and kind == "execute_reply" and not replied:
                    replied, outcome.reply = time.monotonic(), body
                elif channel == "iopub" and kind == "stream" and ours:
                    if len(outcome.printed) < MAX_PRINTED and isinstance(body.get("text"), str):
                        outcome.printed += body["text"]
                elif channel == "iopub" and kind == "status" and ours:
                    idle = idle or body.get("execution_state") == "idle"
            self._look()
            now = time.monotonic()
            if replied and now - replied > IDLE_SECONDS:
                raise _Trouble("its output came to no end")
            if not replied and now > deadline:
                if outcome.status == "timeout":
                    raise _Trouble("it did not heed the interrupt")
                outcome.status, outcome.reason = "timeout", f"not done after {seconds:.3g} s"
                self.kc.control_channel.send(self.kc.session.msg("interrupt_request", {}))
                deadline = now + GRACE_SECONDS
        if outcome.status == "ok" and outcome.reply.get("status") != "ok":
            outcome.status = "error"

    @property
    def alive(self) -> bool:
        """Whether it can run something more."""
        return hasattr(self, "km") and self.process is not None

    def stop(self) -> None:
        """End the kernel and all its processes; nothing happens the second time."""
        if not hasattr(self, "km"):
            return
        process = self.process
        # A process may have left the kernel's group; in the sandbox all die with the namespace.
        below = watch.descendants(process) if process and self.mode == "none" else {}
        running = self._process
        if process:
            for victim in (process, *below):
                with suppress(OSError):
                    os.kill(victim, signal.SIGKILL)
        if running is not None:
            running.wait()
        if hasattr(self, "kc"):
            self.kc.iopub_channel.socket.disable_monitor()
            self.kc.stop_channels()
        with suppress(Exception):
            self.km.cleanup_resources()
        self._context.destroy(linger=0)
        del self.km
