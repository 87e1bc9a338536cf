"""The box's HTTP API, asked by the computer over the USB network."""

import json


class Page:
    """`network` is what stands before a command that uses the computer's network."""

    def __init__(self, host, network):
        self._host, self._network = host, network

    def get(self, path):
        """The body of an answer with status 200; by a shell, for the device has no HTTP client."""
        request = rf"GET {path} HTTP/1.0\r\nHost: 192.168.55.1\r\n\r\n"
        answer = self._host.machine.run(
            f"{self._network} timeout 20 bash -c \"exec 3<>/dev/tcp/192.168.55.1/80; printf '{request}' >&3; cat <&3\""
        )
        head, body = answer.replace("\r", "").split("\n\n", 1)
        assert " 200 " in head.splitlines()[0], head
        return body

    def status(self):
        return json.loads(self.get("/api/v1/status"))
