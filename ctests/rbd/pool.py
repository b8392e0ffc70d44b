"""What the tests in Python share: the pool that with_ceph.sh started a cluster for, and rbd itself."""

import os
import subprocess


def settings(**more):
    lines = "".join(f"{key} = {value}\n" for key, value in more.items())
    return f"""
[DEFAULT]
enabled_backends = ceph:rbd
[glance_store]
default_backend = ceph
[ceph]
rbd_store_pool = {os.environ["CEPH_POOL"]}
rbd_store_user = {os.environ["CEPH_USER"]}
rbd_store_ceph_conf = {os.environ["CEPH_GLANCE_CONF"]}
rbd_store_chunk_size = 1
{lines}"""


def run(*command):
    """What a program prints."""
    return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout


def rbd(*arguments):
    return run("rbd", "--conf", os.environ["CEPH_GLANCE_CONF"], "--id", os.environ["CEPH_USER"], *arguments)


def names():
    return rbd("ls", "images").decode().split()
