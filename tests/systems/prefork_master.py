"""A pre-fork master as servers have it: TTIN adds a worker, TTOU takes one away, a worker that dies is replaced.

python prefork_master.py WORKERS [--slow SECONDS before a fork] [--deaf SECONDS in a handler] [--pid-file FILE] [--obey N]
Prints a line when it is ready, and ends when its standard input does. `deaf`: so long does it handle one signal, while equal ones
that come are lost. `obey`: it stops heeding signals after so many.
"""

import argparse
import os
import signal
import sys
import threading
import time

options = argparse.ArgumentParser()
options.add_argument("workers", type=int)
options.add_argument("--slow", type=float, default=0.0)
options.add_argument("--deaf", type=float, default=0.0)
options.add_argument("--pid-file")
options.add_argument("--obey", type=int, default=1_000_000)
given = argparse.Namespace(workers=0)
wanted = heeded = 0
workers: list[int] = []


def heed(number, frame):
    global wanted, heeded
    heeded += 1
    if heeded <= given.obey:
        wanted = max(0, wanted + (1 if number == signal.SIGTTIN else -1))
    time.sleep(given.deaf)


def work():
    signal.signal(signal.SIGTTIN, signal.SIG_DFL)
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    while True:
        time.sleep(60)


def manage():
    while workers and (ended := os.waitpid(-1, os.WNOHANG)[0]):
        workers.remove(ended)
    if len(workers) < wanted:
        time.sleep(given.slow)
        pid = os.fork()
        if pid == 0:
            work()
        workers.append(pid)
    elif len(workers) > wanted:
        os.kill(workers[-1], signal.SIGKILL)
        os.waitpid(workers.pop(), 0)


def end_with_our_parent():
    sys.stdin.read()
    os.killpg(0, signal.SIGKILL)


def main():
    global given, wanted
    given = options.parse_args()
    wanted = given.workers
    signal.signal(signal.SIGTTIN, heed)
    signal.signal(signal.SIGTTOU, heed)
    threading.Thread(target=end_with_our_parent, daemon=True).start()
    announced = False
    while True:
        manage()
        if not announced and len(workers) == wanted:
            announced = True
            if given.pid_file:
                with open(given.pid_file, "w") as file:
                    file.write(f"{os.getpid()}\n")
            print("ready", flush=True)
        time.sleep(0.005)


if __name__ == "__main__":
    main()
