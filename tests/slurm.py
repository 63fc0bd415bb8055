"""A real Slurm on this host, with two nodes, for tests: munged, slurmctld and two slurmd on the loopback address. Needs
root and Debian's packages slurm-wlm and munge. Everything it starts ends with it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "runuser")


def missing() -> str:
    """Why there can be no Slurm here; empty where there can."""
    lacks = [one for one in NEEDED if shutil.which(one) is None]
    if lacks:
        return f"{', '.join(lacks)} not found: install slurm-wlm and munge"
    return "" if os.geteuid() == 0 else "Slurm's daemons are started as root"


@contextlib.contextmanager
def running(folder: Path, hidden: Path | None = None, how: str = "tmpfs") -> Iterator[dict[str, str]]:
    """Within the context Slurm runs; its environment is told. hidden: a folder that tasks do not see, as if their host
    did not share it; how: readonly where they see it and cannot write there."""
    own_munge = _munge()
    host = socket.gethostname()
    ports = [_free() for _ in range(3)]
    (folder / "state").mkdir(parents=True)
    conf = folder / "slurm.conf"
    conf.write_text(
        f"""ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
AuthType=auth/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/ctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SchedulerParameters=sched_interval=2,batch_sched_delay=0
KillWait=2
NodeName=n1 NodeHostName={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=1
NodeName=n2 NodeHostName={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=1
PartitionName=main Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
"""
    )
    environment = os.environ | {"SLURM_CONF": str(conf)}
    started: list[subprocess.Popen[bytes]] = []

    def start(*words: str) -> None:
        quiet = subprocess.DEVNULL  # they write logs
        started.append(subprocess.Popen(words, env=environment, start_new_session=True, stdout=quiet, stderr=quiet))

    try:
        start("slurmctld", "-D", "-L", str(folder / "ctld.log"))
        for node in ("n1", "n2"):
            words = ["slurmd", "-D", "-N", node, "-L", str(folder / f"{node}.log")]
            if hidden is not None:
                covers = f"mount -t tmpfs tmpfs {hidden}"
                if how == "readonly":
                    covers = f"mount --bind {hidden} {hidden} && mount -o remount,bind,ro {hidden}"
                mount = f"{covers} && exec {' '.join(words)}"
                words = ["unshare", "--mount", "sh", "-c", mount]
            start(*words)
        _until_idle(environment)
        yield environment
    finally:
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            subprocess.run(["scancel", "--user=root"], env=environment, timeout=10, check=False)
            time.sleep(1)
        for one in reversed(started):
            one.terminate()
        for one in started:
            with contextlib.suppress(subprocess.TimeoutExpired):
                one.wait(timeout=10)
                continue
            one.kill()
        if own_munge is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(own_munge, signal.SIGTERM)


def _munge() -> int | None:
    """Starts munged where none answers; its process, to be ended."""
    if subprocess.run(["munge", "-n"], capture_output=True, check=False).returncode == 0:
        return None
    run = Path("/run/munge")
    run.mkdir(exist_ok=True)
    shutil.chown(run, "munge", "munge")
    subprocess.run(["runuser", "-u", "munge", "--", "munged"], check=True)
    return int((run / "munged.pid").read_text())


def _free() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _until_idle(environment: dict[str, str]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        told = subprocess.run(
            ["sinfo", "--noheader", "--format=%T %D"], env=environment, capture_output=True, text=True, check=False
        )
        if told.stdout.split() == ["idle", "2"]:
            return
        time.sleep(0.3)
    raise RuntimeError(f"Slurm's nodes are not idle: {told.stdout} {told.stderr}")
