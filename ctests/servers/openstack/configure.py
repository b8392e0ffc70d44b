"""Writes what Keystone and Swift start from: configure.py DIRECTORY WORKERS

Ports, configuration files, rings with one device, Keystone's keys and its database."""

import base64
import os
import pwd
import random
import socket
import subprocess
import sys
from pathlib import Path
from string import Template

from swift.common.ring import RingBuilder

HERE = Path(__file__).resolve().parent
SERVERS = ("cache", "keystone", "proxy", "account", "container", "object")


def free_ports(count):
    """Ports that no outgoing connection is given by the kernel, so that they are still free when the servers start."""
    held = []
    first_outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while len(held) < count:
        try:
            held.append(socket.create_server(("127.0.0.1", random.randrange(10000, first_outgoing))))
        except OSError:
            continue
    return [one.getsockname()[1] for one in held]


def new_key():
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def write_keys(directory):
    """A repository of Keystone: key 0 is the next one, key 1 the one in use."""
    directory.mkdir(mode=0o700)
    for number in (0, 1):
        (directory / str(number)).write_text(new_key())
        (directory / str(number)).chmod(0o600)


def write_ring(path, port):
    builder = RingBuilder(part_power=4, replicas=1, min_part_hours=0)
    builder.add_dev({"region": 1, "zone": 1, "weight": 1, "ip": "127.0.0.1", "port": port, "device": "disk",
                     "replication_ip": "127.0.0.1", "replication_port": port, "meta": ""})
    builder.rebalance(seed="1")
    builder.get_ring().save(str(path))


def manage_keystone(configuration, *arguments):
    manage = Path(sys.executable).parent / "keystone-manage"
    subprocess.run([sys.executable, "-W", "ignore", manage, "--config-file", configuration, *arguments], check=True)


def main(directory, workers):
    etc = directory / "etc"
    ports = dict(zip(SERVERS, free_ports(len(SERVERS))))
    (directory / "ports").write_text("".join(f"{server}={port}\n" for server, port in ports.items()))

    values = {f"{server}_port": port for server, port in ports.items()}
    # Servers of several processes change their user, from whom it may be to whom they are told.
    values |= {"directory": directory, "workers": workers, "tempauth_key": new_key(),
               "user": pwd.getpwuid(os.getuid()).pw_name}
    for template in HERE.glob("*.conf.in"):
        (etc / template.stem).write_text(Template(template.read_text()).substitute(values))
    (etc / "gunicorn.conf.py").write_text(Template((HERE / "gunicorn.in").read_text()).substitute(values))
    for server in ("account", "container", "object"):
        text = Template((HERE / "storage.in").read_text()).substitute(
            values, server=server, port=ports[server], server_workers=workers if server == "object" else 0)
        (etc / f"{server}.conf").write_text(text)
        write_ring(etc / f"{server}.ring.gz", ports[server])

    keystone = directory / "keystone"
    keystone.mkdir()
    for kind in ("token-keys", "credential-keys"):
        write_keys(keystone / kind)
    url = f"http://127.0.0.1:{ports['keystone']}/v3/"
    manage_keystone(etc / "keystone.conf", "db_sync")
    manage_keystone(etc / "keystone.conf", "bootstrap", "--bootstrap-username", "admin",
                    "--bootstrap-password", "adminpass", "--bootstrap-project-name", "admin",
                    "--bootstrap-role-name", "admin", "--bootstrap-service-name", "keystone",
                    "--bootstrap-region-id", "RegionOne", "--bootstrap-public-url", url,
                    "--bootstrap-internal-url", url, "--bootstrap-admin-url", url)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
