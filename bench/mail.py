"""How long ten thousand mails take, beside a plain loop and beside a task for each.

Run it with ``./dev bench mail``; ``--recipients 2000`` is quicker. All sides hand the same message
to the same mail system on this machine, which wants STARTTLS and a login, and takes everything.
Goals: at least 0.8 of the plain loop's mails a second and 3 times those of the guide's way, of
which a part is sent and scaled; the worker's memory stays what it was after the first thousand.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import trustme
from bench.contest.field import Servers, environment, process, servers, wait_for
from bench.mailing.words import HTML, SUBJECT, people

TASUKI = [sys.executable, "-m", "tasuki"]
LEAST_OF_PLAIN, LEAST_OF_GUIDE, MOST_GROWTH_MB = 0.8, 3.0, 10.0
GUIDE_PART = 5
LONGEST_S = 600.0


@contextmanager
def sink(folder: Path) -> Generator[tuple[int, Path, Path]]:
    """Run the mail system; give port, certificate authority, and the file of who got mail."""
    log, ready, took = folder / "sink.log", folder / "sink.ready", folder / "taken"
    certificate, authority = folder / "sink.pem", folder / "ca.pem"
    issuer = trustme.CA()
    issuer.cert_pem.write_to_path(authority)
    issuer.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(certificate)
    argv = [sys.executable, "-m", "bench.mailing.sink", str(certificate), str(ready), str(took)]
    env = {"PYTHONPATH": str(Path(__file__).parents[1])}
    with process(argv, env, log) as child:
        wait_for(child, log, ready)
        while not ready.read_text():
            time.sleep(0.01)
        yield int(ready.read_text()), authority, took


def taken(took: Path, side: str) -> Counter[str]:
    """Return how often mail came to each recipient of a side."""
    return Counter(line for line in took.read_text().split() if line.startswith(side))


def plain(env: dict[str, str], count: int) -> float:
    argv = [sys.executable, "-m", "bench.mailing.plain", str(count)]
    done = subprocess.run(argv, env=env, check=True, capture_output=True, text=True)
    return float(done.stdout)


def guide(env: dict[str, str], folder: Path, took: Path, count: int) -> float:
    log = folder / "guide.log"
    argv = [sys.executable, "-m", "celery", "-A", "bench.mailing.guide", "worker", "-l", "INFO"]
    with process(argv, env, log) as child:
        wait_for(child, log, "ready.")
        began = time.perf_counter()
        order = [sys.executable, "-m", "bench.mailing.guide", str(count)]
        subprocess.run(order, env=env, check=True)
        while len(taken(took, "guide")) < count and time.perf_counter() - began < LONGEST_S:
            time.sleep(0.05)
        return time.perf_counter() - began


@contextmanager
def tasuki(env: dict[str, str], folder: Path) -> Generator[tuple[httpx.Client, psutil.Process]]:
    """Run a web process and an io worker; give an admin's client, and the worker."""
    ready = {part: folder / f"{part}.ready" for part in ("web", "worker")}
    add = ["user", "add", "bench", "--email", "bench@example.org", "--admin"]
    subprocess.run([*TASUKI, *add], env=env, check=True, capture_output=True, input="", text=True)
    made = [*TASUKI, "token", "create", "bench", "--user", "bench"]
    token = subprocess.run(made, env=env, check=True, capture_output=True, text=True).stdout
    web = [*TASUKI, "web", "--port", "0", "--ready-file", str(ready["web"])]
    worker = [*TASUKI, "worker", "--lane", "io", "--ready-file", str(ready["worker"])]
    logs = {part: folder / f"{part}.log" for part in ready}
    with process(web, env, logs["web"]) as one, process(worker, env, logs["worker"]) as two:
        wait_for(one, logs["web"], ready["web"])
        wait_for(two, logs["worker"], ready["worker"])
        headers = {"Authorization": f"Bearer {token.strip()}"}
        url = ready["web"].read_text().strip()
        with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
            yield client, psutil.Process(two.pid)


def sending(client: httpx.Client, recipients: list[str]) -> tuple[float, dict[str, Any]]:
    """Return the seconds from the order to the last mail, and the numbers then."""
    body = {"email_list": recipients, "subject": SUBJECT, "html_content": HTML}
    began = time.perf_counter()
    accepted = client.post("/api/v1/tasks/send-bulk-email/", json=body)
    accepted.raise_for_status()
    accepted_s = time.perf_counter() - began
    path = f"/api/v1/batches/{accepted.json()['batch_id']}"
    numbers = client.get(path).json()
    while numbers["finished_at"] is None and time.perf_counter() - began < LONGEST_S:
        time.sleep(0.2)
        numbers = client.get(path).json()
    return time.perf_counter() - began, {**numbers, "accepted_s": accepted_s}


def measure(where: Servers, folder: Path, count: int) -> bool:
    """Print all figures; return whether the goals are reached."""
    with sink(folder) as (port, authority, took):
        mail = {
            "BENCH_SMTP_PORT": str(port),
            "BENCH_SMTP_CA": str(authority),
            "TASUKI_MAIL__HOST": "localhost",
            "TASUKI_MAIL__PORT": str(port),
            "TASUKI_MAIL__CA_FILE": str(authority),
            "TASUKI_MAIL__USERNAME": "library",
            "TASUKI_MAIL__PASSWORD": "open sesame",
            "TASUKI_MAIL__FROM": "library@example.org",
        }
        env = environment(where, folder, TASUKI_TASKS__MODULES="[]", **mail)
        floor = count / plain(env, count)
        with tasuki(env, folder) as (client, worker):
            sending(client, people("warm", 1_000))
            before = worker.memory_info().rss
            took_s, numbers = sending(client, people("ours", count))
            grown = (worker.memory_info().rss - before) / 1e6
        part = max(100, count // GUIDE_PART)
        theirs = part / guide(env, folder, took, part)
        came = taken(took, "ours")
    ours = count / took_s
    is_exact = len(came) == count == numbers["succeeded"] and set(came.values()) == {1}
    print(f"plain loop        {floor:8.0f} mails/s")
    print(f"Tasuki            {ours:8.0f} mails/s   accepted in {numbers['accepted_s']:.2f} s")
    print(f"a task for each   {theirs:8.0f} mails/s   ({part} of them)")
    print(f"{ours / floor:5.2f} x the plain loop (goal {LEAST_OF_PLAIN})")
    print(f"{ours / theirs:5.1f} x a task for each (goal {LEAST_OF_GUIDE:.0f})")
    print(f"memory of the worker: {grown:+.1f} MB (goal {MOST_GROWTH_MB:.0f})")
    print("everybody once" if is_exact else f"NOT everybody once: {numbers}")
    return (
        is_exact
        and ours / floor >= LEAST_OF_PLAIN
        and ours / theirs >= LEAST_OF_GUIDE
        and grown <= MOST_GROWTH_MB
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipients", type=int, default=10_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, servers(Path(name)) as where:
        sys.exit(not measure(where, Path(name), args.recipients))


if __name__ == "__main__":
    main()
