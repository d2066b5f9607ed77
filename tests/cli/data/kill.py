"""Kills one of the processes of `oriel run` at random moments, again and again, and looks what is left.

kill.py WHOM ROUNDS FOLDER FLAGS [COMMAND...]: FOLDER/oriel is run with these flags by COMMAND, several at a
time.
"""
import concurrent.futures, os, random, signal, socket, subprocess, sys, threading, time

whom, rounds, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
flags, command = sys.argv[4].split(), sys.argv[5:]
PATIENCE = 20       # seconds; Oriel itself waits ten for what was written to arrive

# The program: a child that talks to it, one that talks to the peer on the host, and one that has left its
# parent and its session. Whose peer has gone ends. They pause between words: where a dozen of them never slept,
# a kernel let one pair have a processor for twenty seconds, and who was killed did not come to die.
PROGRAM = """
import os, socket, sys, time
l = socket.socket()
l.bind(("127.0.0.1", 0))
l.listen()
if os.fork() == 0:
    s = socket.create_connection(l.getsockname())
    while True:
        s.sendall(b"x" * 10000)
        time.sleep(0.0005)
if os.fork() == 0:
    s = socket.create_connection(("10.0.2.2", int(sys.argv[2])))
    while s.send(b"x" * 10000):
        s.recv(1000)
        time.sleep(0.0005)
if os.fork() == 0:
    if os.fork() == 0:
        os.setsid()
        time.sleep(60)
    os._exit(0)
a = l.accept()[0]
print("busy", flush=True)
while a.recv(65536):
    pass
"""


class Peer:
    """A server on the host that every connection must come to an end at."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = self.listener.getsockname()[1]
        self.open = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            s = self.listener.accept()[0]
            self.open += 1
            threading.Thread(target=self.talk, args=(s,), daemon=True).start()

    def talk(self, s):
        try:
            while s.recv(65536):
                s.send(b"y")
        except OSError:
            pass
        s.close()
        self.open -= 1


def processes(mark):
    """Those that have it on their command line; zombies have none."""
    found = []
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and mark in open(f"/proc/{name}/cmdline", "rb").read():
                found.append(int(name))
        except OSError:
            pass
    return found


def children(pid):
    try:
        return [int(c) for c in open(f"/proc/{pid}/task/{pid}/children").read().split()]
    except OSError:
        return []


def first_child(pid):
    return (children(pid) or [None])[0]


def send(pid, number):
    """False: there is none."""
    try:
        if pid:
            os.kill(pid, number)
    except ProcessLookupError:
        pass
    return pid is not None


def namespace(pid):
    """Of the network; with it go its devices."""
    try:
        return os.readlink(f"/proc/{pid}/ns/net")
    except OSError:
        return None


def is_held(name):
    """By a process, or by a mount."""
    pids = [p for p in os.listdir("/proc") if p.isdigit()]
    return any(namespace(p) == name for p in pids) or name in open("/proc/self/mountinfo").read()


def strike(run):
    """False: it is not there yet."""
    guard = first_child(run.pid)
    program = first_child(guard) if guard else None
    if whom == "group":
        os.killpg(run.pid, signal.SIGKILL)
        return True
    who = {"oriel": run.pid, "guard": guard, "program": program,
           "child": random.choice(children(program) or [None]) if program else None}[whom]
    return send(who, signal.SIGKILL)


def one(number):
    mark = f"{folder}/round{number:04}".encode()
    line = [*command, f"{folder}/oriel", "run", "-q", *flags]
    line += ["--", sys.executable, "-c", PROGRAM, mark.decode(), str(peer.port)]
    early = number % 4 == 0                     # while it is being started
    run = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
                           cwd="/")
    if not early:
        run.stdout.readline()
    moment = random.random() * (0.15 if early else 0.1)
    time.sleep(moment)
    inside = namespace(first_child(first_child(run.pid)))
    while not strike(run) and run.poll() is None:
        time.sleep(0.001)
    if whom in ("program", "child"):            # whom they leave stay until somebody says that it is enough
        time.sleep(0.05)
        end = time.monotonic() + PATIENCE
        while run.poll() is None and time.monotonic() < end:
            send(run.pid, signal.SIGTERM)
            time.sleep(0.05)
    end = time.monotonic() + PATIENCE
    while (run.poll() is None or processes(mark)) and time.monotonic() < end:
        time.sleep(0.02)
    left = processes(mark)
    if run.poll() is None or left:
        print(f"round {number}, {'early, ' * early}{moment:.3f} s: status {run.poll()}, left:", flush=True)
        everybody = ",".join(map(str, [run.pid, *left]))
        subprocess.run(["ps", "-o", "pid,ppid,sid,stat,wchan:20,args", "--no-headers", "-p", everybody])
        for pid in [run.pid, *left]:
            send(pid, signal.SIGKILL)
    run.stdout.close()
    run.wait()
    if inside in (None, namespace("self")):
        return not left
    while is_held(inside) and time.monotonic() < end:
        time.sleep(0.02)
    held = is_held(inside)
    if held:
        print(f"round {number}: {inside} is still there")
    return not left and not held


peer = Peer()
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    good = all(list(pool.map(one, range(rounds))))
end = time.monotonic() + PATIENCE
while peer.open > 0 and time.monotonic() < end:
    time.sleep(0.02)
if peer.open > 0:
    print(f"{peer.open} connections of the peer hang")
sys.exit(not good or peer.open > 0)
