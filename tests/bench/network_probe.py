"""A neighbour on one of this computer's networks: asks, and tells who answered.

Runs on the bench's PC, as root, with nothing but Python. Prints the answer and ends with 0;
ends with 1 when nobody answered. Frames are made by hand where the computer's own
programs (its DHCP client, its mDNS daemon) would stand in the way.

    network_probe.py arp INTERFACE SOURCE TARGET    the MAC address that answers for TARGET
    network_probe.py mdns INTERFACE DESTINATION NAME   an answer for NAME from DESTINATION,
                                                    or from whoever hears it
    network_probe.py dhcp INTERFACE                 the address that a DHCP server offers
"""

import os
import socket
import struct
import sys
import time

ETH_P_IP, ETH_P_ARP = 0x0800, 0x0806
BROADCAST = b"\xff" * 6
# Each question is asked so often, and waited for so long, in seconds: emulated machines are slow.
TRIES, WAIT = 3, 2.0
DNS_PORT, DHCP_SERVER, DHCP_CLIENT = 5353, 67, 68


def mac_of(interface):
    with open(f"/sys/class/net/{interface}/address", encoding="ascii") as file:
        return bytes.fromhex(file.read().strip().replace(":", ""))


def asked(send, receive):
    """The first answer that `receive` makes of a packet after `send`, or None."""
    for _ in range(TRIES):
        send()
        end = time.monotonic() + WAIT
        while (left := end - time.monotonic()) > 0:
            answer = receive(left)
            if answer:
                return answer
    return None


def packets(link, left):
    link.settimeout(left)
    try:
        return link.recvfrom(65535)
    except TimeoutError:
        return None, None


def arp(interface, source, target):
    mac, wanted = mac_of(interface), socket.inet_aton(target)
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ARP))
    link.bind((interface, ETH_P_ARP))
    head = BROADCAST + mac + struct.pack("!HHHBBH", ETH_P_ARP, 1, ETH_P_IP, 6, 4, 1)
    question = head + mac + socket.inet_aton(source) + bytes(6) + wanted

    def receive(left):
        packet, _ = packets(link, left)
        # Operation 2 is a reply; after it come the sender's MAC and IPv4 address.
        if packet and packet[20:22] == b"\0\2" and packet[28:32] == wanted:
            return packet[22:28].hex(":")
        return None

    return asked(lambda: link.send(question), receive)


def mdns(interface, destination, name):
    link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
    index = socket.if_nametoindex(interface)
    link.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("=4s4si", bytes(4), bytes(4), index))
    # A port of its own makes it a one-shot query (RFC 6762, 6.7): the answer comes by unicast.
    number = os.urandom(2)
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    question = number + struct.pack("!5H", 0, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", 1, 1)

    def receive(left):
        packet, sender = packets(link, left)
        if packet and packet[:2] == number and packet[2] & 0x80:
            return f"{sender[0]}: {len(packet)} bytes"
        return None

    return asked(lambda: link.sendto(question, (destination, DNS_PORT)), receive)


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def dhcp(interface):
    mac, number = mac_of(interface), os.urandom(4)
    # A client of its own: the computer's own lease must not change.
    client = b"\x02" + os.urandom(5)
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP))
    link.bind((interface, ETH_P_IP))
    # BOOTREQUEST on Ethernet; flags: answer by broadcast (RFC 2131).
    bootp = struct.pack("!4B4sHH", 1, 1, 6, 0, number, 0, 0x8000) + bytes(16) + client + bytes(10 + 64 + 128)
    discover = bootp + b"\x63\x82\x53\x63" + b"\x35\x01\x01" + b"\xff"
    udp = struct.pack("!4H", DHCP_CLIENT, DHCP_SERVER, 8 + len(discover), 0) + discover
    head = struct.pack("!2B3H2BH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, bytes(4), b"\xff" * 4)
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    frame = BROADCAST + mac + struct.pack("!H", ETH_P_IP) + head + udp

    def receive(left):
        packet, _ = packets(link, left)
        if not packet or packet[23] != 17:
            return None
        payload = packet[14 + (packet[14] & 15) * 4 :]
        if payload[:2] == struct.pack("!H", DHCP_SERVER) and payload[12:16] == number:
            return socket.inet_ntoa(payload[24:28])
        return None

    return asked(lambda: link.send(frame), receive)


if __name__ == "__main__":
    found = {"arp": arp, "mdns": mdns, "dhcp": dhcp}[sys.argv[1]](*sys.argv[2:])
    print(found or "nobody answered")
    sys.exit(0 if found else 1)
