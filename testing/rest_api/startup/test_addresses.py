"""A start that can't listen ends with one line that says what to do."""

import socket

import pytest

from rest_api.startup import addresses


@pytest.fixture
def taken():
    """A port on which another program listens."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_a_free_port_is_no_problem(taken):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    assert addresses.problem([("127.0.0.1", free), ("127.0.0.1", 0), "/run/some.sock", 3]) is None


def test_a_taken_port_is_named_with_the_remedy(taken):
    line = addresses.problem([("127.0.0.1", 0), ("127.0.0.1", taken)], patience=0.3)
    assert line == f"Port {taken} of 127.0.0.1 is in use. Stop the program that uses it, or set PORT to a free port."


@pytest.mark.parametrize("host", ["198.51.100.7", "no.such.host.invalid", "2001:db8::7"])
def test_an_address_of_no_interface_is_named_with_the_remedy(host):
    line = str(addresses.problem([(host, 8000)]))
    assert host in line and "Set HOST to" in line and "\n" not in line


def test_a_port_that_only_root_may_use_is_named_with_the_remedy(monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    assert "Set PORT to a number above 1023" in str(addresses.problem([("127.0.0.1", 80)]))
