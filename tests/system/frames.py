"""Ethernet frames made by hand, right ones and nearly right ones, as a guest behind the switch might send them."""

import socket
import struct

ROUTER_IP, GUEST_IP = "10.0.2.2", "10.0.2.15"
ROUTER = bytes([0x52, 0x55, 10, 0, 2, 2])
EVERYBODY = b"\xff" * 6
FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32


def ethernet(to, source, kind, payload):
    return to + source + struct.pack(">H", kind) + payload


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip(protocol, payload, to=ROUTER_IP, source=GUEST_IP, *, fragment=0, length=None, header=5, options=b""):
    head = struct.pack(">BBHHHBBH4s4s", 0x40 | header, 0, 20 + len(options) + len(payload) if length is None else length,
                       7, fragment, 64, protocol, 0, socket.inet_aton(source), socket.inet_aton(to)) + options
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def pseudo_header(protocol, size, to, source):
    return struct.pack(">4s4sBBH", socket.inet_aton(source), socket.inet_aton(to), 0, protocol, size)


def tcp(port, to_port, sequence, acknowledged, flags, data=b"", to=ROUTER_IP, *, window=60000, urgent=0, options=b""):
    words = 5 + len(options) // 4
    head = struct.pack(">HHIIBBHHH", port, to_port, sequence & 0xFFFFFFFF, acknowledged & 0xFFFFFFFF, words << 4, flags,
                       window, 0, urgent) + options
    total = checksum(pseudo_header(6, len(head) + len(data), to, GUEST_IP) + head + data)
    return ip(6, head[:16] + struct.pack(">H", total) + head[18:] + data, to)


def udp(port, to_port, data=b"", to=ROUTER_IP, *, length=None, source=GUEST_IP):
    return ip(17, struct.pack(">HHHH", port, to_port, 8 + len(data) if length is None else length, 0) + data, to, source)


def ping(data, kind=8, to=ROUTER_IP):
    body = struct.pack(">BBHHH", kind, 0, 0, 1, 1) + data
    return ip(1, body[:2] + struct.pack(">H", checksum(body)) + body[4:], to)


def arp(source, to_ip, *, operation=1, from_ip=GUEST_IP):
    return ethernet(EVERYBODY, source, 0x0806, struct.pack(">HHBBH6s4s6s4s", 1, 0x0800, 6, 4, operation, source,
                                                           socket.inet_aton(from_ip), bytes(6), socket.inet_aton(to_ip)))


def dhcp_discover(source):
    body = struct.pack(">IIIIIII", 0x01010600, 0x12345678, 0, 0, 0, 0, 0) + source + bytes(10 + 64 + 128)
    body += struct.pack(">I", 0x63825363) + bytes([53, 1, 1, 255])
    return ethernet(EVERYBODY, source, 0x0800, udp(68, 67, body, "255.255.255.255", source="0.0.0.0"))


def is_dhcp_offer(frame):
    return len(frame) > 14 + 20 + 8 and frame[12:14] == b"\x08\x00" and frame[23] == 17 and frame[36:38] == b"\x00\x44"
