import socket
import struct

from kilonova.hypervisor.fake.screen import Screen


def test_a_viewer_is_greeted_and_shown_an_empty_screen() -> None:
    screen = Screen("127.0.0.1", 0)
    try:
        with socket.create_connection(("127.0.0.1", screen.port), timeout=5) as viewer, viewer.makefile("rb") as said:
            assert said.read(12) == b"RFB 003.008\n"
            viewer.sendall(b"RFB 003.008\n")
            assert said.read(2) == b"\x01\x01"
            viewer.sendall(b"\x01")
            assert said.read(4) == bytes(4)
            viewer.sendall(b"\x01")
            assert said.read(24)[:4] == b"\x02\x80\x01\xe0"
            assert said.read(8) == b"kilonova"
    finally:
        screen.close()


def test_a_spice_client_is_greeted() -> None:
    screen = Screen("127.0.0.1", 0, spice=True)
    try:
        with socket.create_connection(("127.0.0.1", screen.port), timeout=5) as viewer, viewer.makefile("rb") as said:
            viewer.sendall(struct.pack("<4sIII", b"REDQ", 2, 2, 18) + bytes(18))
            assert struct.unpack("<4sIIII", said.read(20)) == (b"REDQ", 2, 2, 178, 0)
            assert len(said.read(174)) == 174
    finally:
        screen.close()
