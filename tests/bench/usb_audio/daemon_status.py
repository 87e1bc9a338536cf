"""The box's HTTP API, asked by the computer over the USB network."""

import json
import shlex


class Page:
    """`network` is what stands before a command that uses the computer's network."""

    def __init__(self, host, network):
        self._host, self._network = host, network

    def get(self, path):
        """The body of an answer with status 200; by a shell, for the device has no HTTP client."""
        return self._ask(rf"GET {path} HTTP/1.0\r\nHost: 192.168.55.1\r\n\r\n")

    def _ask(self, head, body=""):
        send = f"printf '{head}' >&3; printf %s {shlex.quote(body)} >&3"
        command = f"exec 3<>/dev/tcp/192.168.55.1/80; {send}; cat <&3"
        answer = self._host.machine.run(f"{self._network} timeout 20 bash -c {shlex.quote(command)}")
        head, body = answer.replace("\r", "").split("\n\n", 1)
        assert " 200 " in head.splitlines()[0], head
        return body

    def status(self):
        return json.loads(self.get("/api/v1/status"))

    def change(self, path, values):
        """Changes settings by a JSON merge patch."""
        body = json.dumps(values)
        head = (
            rf"PATCH {path} HTTP/1.0\r\nHost: 192.168.55.1\r\nContent-Type: application/json\r\n"
            rf"Content-Length: {len(body)}\r\n\r\n"
        )
        answer = self._ask(head, body)
        return json.loads(answer)
