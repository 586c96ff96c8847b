"""Socket.IO clients of python-socketio (4.x and 5.x), driven over JSON lines.

A line of standard input is a command, a line of standard output a reply to one (`re`) or what a client heard (`on`).
Bytes are written as {"$bytes": "<base64>"}.

    {"id": 1, "do": "connect", "client": 1, "url": "...", "namespaces": ["/"], "transports": null, "auth": {}}
    {"id": 2, "do": "emit", "client": 1, "namespace": "/", "name": "up", "args": [1]}
    {"id": 3, "do": "ask", ...as emit}          is answered when the server acknowledges
    {"id": 4, "do": "disconnect", "client": 1}

    {"re": 1, "value": null}   {"re": 1, "error": "..."}
    {"on": "connect" | "disconnect" | "connect_error" | "event", "client": 1, "namespace": "/", "name": ..., "args": []}

An event that wants an ack gets its own arguments back and the word "seen".
"""

import base64
import json
import queue
import sys
import threading
from importlib.metadata import version

import engineio
import socketio

PROTOCOL_3 = version("python-engineio").startswith("3.")
PATIENCE = 20  # seconds; the test that waits for the reply gives up at about the same time

# The library refuses payloads of more than 16 packets, also from a server that it chose to talk to.
engineio.payload.Payload.max_decode_packets = 1000

clients = {}
speaking = threading.Lock()


def say(**line):
    with speaking:
        print(json.dumps(line), flush=True)


def pack(value):
    """What JSON can carry, for a value of an event."""
    if isinstance(value, (bytes, bytearray)):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, (list, tuple)):
        return [pack(item) for item in value]
    if isinstance(value, dict):
        return {key: pack(item) for key, item in value.items()}
    return value


def unpack(value):
    """The value that `pack` was given."""
    if isinstance(value, list):
        return [unpack(item) for item in value]
    if isinstance(value, dict):
        if "$bytes" in value:
            return base64.b64decode(value["$bytes"])
        return {key: unpack(item) for key, item in value.items()}
    return value


class InOrder(engineio.Client):
    """Handles messages one after another: the library starts a thread for each, and one may overtake the other."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.arrived = queue.Queue()
        threading.Thread(target=self.handle, daemon=True).start()

    def handle(self):
        while True:
            target, args = self.arrived.get()
            target(*args)

    def start_background_task(self, target, *args, **kwargs):
        if target == self.handlers.get("message"):
            self.arrived.put((target, args))
            return None
        return super().start_background_task(target, *args, **kwargs)


class Client(socketio.Client):
    def _engineio_client_class(self):
        return InOrder


class Ear(socketio.ClientNamespace):
    """Tells everything that happens in a namespace."""

    def __init__(self, name, namespace):
        super().__init__(namespace)
        self.name = name

    def trigger_event(self, event, *args):
        if event.startswith("__"):
            return None
        known = event in ("connect", "disconnect", "connect_error")
        kind = event if known else "event"
        say(on=kind, client=self.name, namespace=self.namespace, name=event, args=pack(args))
        return None if known else (*args, "seen")


def connect(command):
    client = Client(
        reconnection=command["reconnection"], reconnection_delay=0.01, randomization_factor=0
    )
    clients[command["client"]] = client
    for namespace in command["namespaces"]:
        client.register_namespace(Ear(command["client"], namespace))
    options = {"transports": command["transports"], "namespaces": command["namespaces"]}
    if not PROTOCOL_3:
        options.update(auth=command["auth"], wait_timeout=PATIENCE)
    return lambda: client.connect(command["url"], **options)


def emit(command, callback=None):
    client = clients[command["client"]]
    args = tuple(unpack(command["args"]))
    client.emit(command["name"], args, namespace=command["namespace"], callback=callback)


def ask(command):
    emit(command, lambda *args: say(re=command["id"], value=pack(args)))


def disconnect(command):
    return clients[command["client"]].disconnect


def finish(command, action):
    """Runs what takes its time beside the commands that follow."""
    try:
        action()
        say(re=command["id"], value=None)
    except Exception as error:  # whatever it is, the test has to know
        say(re=command["id"], error=f"{type(error).__name__}: {error}")


def obey(command):
    verb = {"connect": connect, "emit": emit, "ask": ask, "disconnect": disconnect}[command["do"]]
    try:
        later = verb(command)
    except Exception as error:
        say(re=command["id"], error=f"{type(error).__name__}: {error}")
        return
    if later is not None:
        threading.Thread(target=finish, args=(command, later), daemon=True).start()
    elif verb is not ask:
        say(re=command["id"], value=None)


for line in sys.stdin:
    obey(json.loads(line))
