"""Which hosts pictures may come from."""

import pytest

from nanobanana_async._hosts import HostRules, RefusedHostError, is_loopback

KINDS = {
    kind: hosts.split()
    for kind, hosts in {
        "private": """
            10.0.0.1 172.16.3.4 192.168.1.1 100.64.0.1 198.18.0.7 fd00::1 fec0::1
            ::ffff:10.0.0.1 64:ff9b::10.0.0.1 2002:a00:1:: 10.1 0x0a000001 167772161
        """,
        "loopback": """
            127.0.0.1 127.9.9.9 ::1 ::ffff:127.0.0.1 127.1 2130706433 127.0.0.1.
            localhost LOCALHOST. pictures.localhost
        """,
        "link-local": "169.254.169.254 fe80::1 fe80::1%eth0 ::ffff:169.254.169.254",
        "unspecified": "0.0.0.0 :: 0 ::ffff:0.0.0.0",
        "multicast": "224.0.0.1 239.255.255.250 ff02::1",
        "reserved": "240.0.0.1 255.255.255.255 64:ff9b:1::1",
    }.items()
}
ALL = [(kind, host) for kind, hosts in KINDS.items() for host in hosts]
PUBLIC = ["8.8.8.8", "2606:4700::1111", "64:ff9b::8.8.8.8", "::ffff:8.8.8.8", "2002:808:808::"]
NAMES = ["pictures.example", "localhost.example", "10.example", "x"]


@pytest.mark.parametrize(("kind", "host"), ALL)
def test_what_is_not_public_is_refused(kind: str, host: str) -> None:
    with pytest.raises(RefusedHostError, match=f"is {kind}, not public") as caught:
        HostRules().check(host)
    assert str(caught.value).startswith(host)
    with pytest.raises(RefusedHostError, match="pictures") as caught:
        HostRules().check("pictures.example", host)
    assert host in str(caught.value)


@pytest.mark.parametrize("host", [*PUBLIC, *NAMES])
def test_what_is_public_passes_and_so_does_a_name(host: str) -> None:
    HostRules().check(host)


@pytest.mark.parametrize("allowed", ["private", "loopback"])
@pytest.mark.parametrize(("kind", "host"), ALL)
def test_an_option_allows_its_own_kind(kind: str, host: str, allowed: str) -> None:
    rules = HostRules(**{allowed: True})
    if kind == allowed:
        rules.check(host)
    else:
        with pytest.raises(RefusedHostError):
            rules.check(host)


def test_how_to_allow_it_is_said() -> None:
    advice = {}
    for kind, hosts in KINDS.items():
        with pytest.raises(RefusedHostError) as caught:
            HostRules().check(hosts[0])
        advice[kind] = caught.value.advice
    assert "private_hosts=True" in advice["private"]
    assert "base_url" in advice["loopback"]
    assert "never" in advice["link-local"]


def test_what_this_machine_is() -> None:
    assert all(map(is_loopback, KINDS["loopback"]))
    assert not any(is_loopback(host) for kind, host in ALL if kind != "loopback")
    assert not any(map(is_loopback, [*PUBLIC, *NAMES]))
