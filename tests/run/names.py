#!/usr/bin/env python3
"""names.py PORT: a name server on 127.0.0.1 that has one answer to every question: 192.0.2.7."""
import socket
import sys


def main():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", int(sys.argv[1])))
    while True:
        ask, who = s.recvfrom(2048)
        end = ask.index(b"\0", 12) + 5
        head = ask[:2] + b"\x81\x80\0\1\0\1\0\0\0\0"
        s.sendto(head + ask[12:end] + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\7", who)


main()
