#!/usr/bin/env python3
"""The other end of a udp: link, in frames: 10.7.0.1 with ARP, ping, a DHCP server and a name server.

peer.py LOCAL-PORT LOG: answers whoever sends frames there; a line in LOG for each thing that it is asked.
It gives 10.7.0.50 away, and knows one name: web.test is 10.7.0.1.
"""
import socket
import struct
import sys

ME, MAC = bytes([10, 7, 0, 1]), bytes.fromhex("020000007001")
GIVEN = bytes([10, 7, 0, 50])


def inet(data):
    if len(data) % 2:
        data += b"\0"
    s = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while s >> 16:
        s = (s & 0xFFFF) + (s >> 16)
    return ~s & 0xFFFF


def ip(proto, src, dst, payload):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, proto, 0, src, dst)
    return head[:10] + struct.pack("!H", inet(head)) + head[12:] + payload


def udp(src, sport, dst, dport, payload):
    return ip(17, src, dst, struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload)


def dhcp(msg, say):
    options, at = {}, 240
    while at < len(msg) and msg[at] != 255:
        if msg[at] == 0:
            at += 1
            continue
        options[msg[at]] = msg[at + 2:at + 2 + msg[at + 1]]
        at += 2 + msg[at + 1]
    kind = options[53][0]
    say("dhcp %d" % kind)
    answer = {1: 2, 3: 5}.get(kind)
    if answer is None:
        return None
    head = struct.pack("!BBBB4sHH4s4s4s4s16s192s", 2, 1, 6, 0, msg[4:8], 0, 0x8000, b"\0" * 4, GIVEN, ME,
                       b"\0" * 4, msg[28:44], b"")
    opts = b"\x63\x82\x53\x63" + bytes([53, 1, answer, 54, 4]) + ME + bytes([51, 4, 0, 0, 1, 0])
    opts += bytes([1, 4, 255, 255, 255, 0, 3, 4]) + ME + bytes([6, 4]) + ME + b"\xff"
    return udp(ME, 67, b"\xff" * 4, 68, head + opts)


def dns(query, say):
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode())
        at += 1 + query[at]
    kind = struct.unpack("!H", query[at + 1:at + 3])[0]
    name = ".".join(labels)
    say("dns %s %d" % (name, kind))
    known = name.lower() == "web.test"
    found = known and kind == 1
    reply = query[:2] + struct.pack("!HHHHH", 0x8180 | (0 if known else 3), 1, int(found), 0, 0)
    reply += query[12:at + 5]
    if found:
        reply += b"\xc0\x0c" + struct.pack("!HHIH4s", 1, 1, 60, 4, ME)
    return reply


def answer(frame, say):
    src, kind, body = frame[6:12], frame[12:14], frame[14:]
    if kind == b"\x08\x06" and body[6:8] == b"\0\1" and body[24:28] == ME:
        return src + MAC + kind + body[:6] + b"\0\2" + MAC + ME + body[8:18]
    if kind != b"\x08\x00":
        return None
    head, packet = (body[0] & 15) * 4, body[:struct.unpack("!H", body[2:4])[0]]
    payload, their = packet[head:], packet[12:16]
    out = None
    if packet[9] == 1 and packet[16:20] == ME and payload[0] == 8:
        echo = b"\0\0\0\0" + payload[4:]
        out = ip(1, ME, their, echo[:2] + struct.pack("!H", inet(echo)) + echo[4:])
    elif packet[9] == 17:
        sport, dport = struct.unpack("!HH", payload[:4])
        if dport == 67:
            out = dhcp(payload[8:], say)
            return out and b"\xff" * 6 + MAC + kind + out
        if dport == 53 and packet[16:20] == ME:
            out = udp(ME, 53, their, sport, dns(payload[8:], say))
    return out and src + MAC + kind + out


def main():
    link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    link.bind(("127.0.0.1", int(sys.argv[1])))
    with open(sys.argv[2], "w", buffering=1, encoding="ascii") as log:
        log.write("ready\n")
        while True:
            frame, who = link.recvfrom(65536)
            reply = answer(frame, lambda text: log.write(text + "\n"))
            if reply:
                link.sendto(reply, who)


main()
