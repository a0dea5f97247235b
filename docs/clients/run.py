"""Types a command into a session of limpet, and prints the output until the session's program ends,
over connections that may break."""

import json, sys, time, uuid
from websockets.exceptions import ConnectionClosedError, InvalidStatus, WebSocketException
from websockets.sync.client import connect

url, token, command = sys.argv[1:]  # ws://HOST/api/sessions/ID/attach
typed = command.encode() + b"\n"
hello = {"type": "hello", "viewer": str(uuid.uuid4()), "cols": 80, "rows": 24}
missing = None  # bytes of the snapshot that have yet to arrive, if that is known
while True:
    hello["resume"] = {"epoch": epoch, "output": received, "resizes": resizes} if missing == 0 else None
    try:
        headers = {"Authorization": f"Bearer {token}"}
        with connect(url, subprotocols=["limpet.v1"], additional_headers=headers) as socket:
            socket.send(json.dumps(hello))
            for message in socket:
                if isinstance(message, bytes):
                    kind, payload = message[0], message[9:]
                    sys.stdout.buffer.write(payload)
                    sys.stdout.buffer.flush()
                    received += len(payload) if kind == 0 else 0
                    missing = max(missing - len(payload), 0) if kind == 1 else missing
                    socket.send(json.dumps({"type": "ack", "output": received}))
                    continue
                message = json.loads(message)
                match message["type"]:
                    case "welcome":
                        epoch, received = message["epoch"], message["output"]
                        resizes, taken = message.get("resizes", 0), message["input"]
                        missing = 0 if hello["resume"] or received == 0 else None
                        socket.send(b"\0" + taken.to_bytes(8, "big") + typed[taken:])
                    case "resize":
                        resizes = message.get("resizes", 0)
                    case "reset":
                        received, missing = message["output"], message.get("bytes", 0)
                    case "exit":
                        sys.exit(message.get("code", 1))
    except InvalidStatus as refusal:
        if refusal.response.status_code in (401, 404):
            sys.exit(f"cannot attach: {refusal}")
    except ConnectionClosedError as close:
        if close.rcvd and close.rcvd.code in (4400, 4401, 4404, 4409):
            sys.exit(f"cannot attach: {close}")
    except (OSError, EOFError, WebSocketException):
        pass
    time.sleep(0.25)
