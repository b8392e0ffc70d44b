"""Measures what moves between files and S3 and prints tables: s3.py PROGRAMS IMAGES

s3.sh builds the programs, starts radosgw and explains the environment variables.
"""

import os
import shutil
import signal
import sys

import boto3
from contest import Contest, reported, timed

MIB = 1 << 20
IMAGE = int(os.environ.get("GS_BENCH_MIB", 1024)) * MIB
ROUNDS = int(os.environ.get("GS_BENCH_ROUNDS", 5))
ONLY = os.environ.get("GS_BENCH_ONLY", "")
HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS, IMAGES = (os.path.abspath(path) for path in sys.argv[1:])
URL, ACCESS, SECRET = (os.environ[name] for name in ("S3_ENDPOINT", "S3_ACCESS_KEY", "S3_SECRET_KEY"))
SOURCE, RESULT = f"{IMAGES}/image", f"{IMAGES}/result"
BUCKET, STORED, MADE = "images", "stored", "made"
# glance_store's usual size of parts, which the others are given as well.
PART = 10 * MIB

OURS, PYTHON = "glance-store", "Python glance_store"
# Other programs, where they are installed.
NAMES = {"aws": "awscli", "rclone": "rclone", "curl": "curl, presigned URL"}


def connect():
    return boto3.client("s3", endpoint_url=URL, region_name="us-east-1", aws_access_key_id=ACCESS, aws_secret_access_key=SECRET)


def configuration(name="usual", **options):
    """A configuration of our store, or the Python glance_store's."""
    path = f"{IMAGES}/{name}.conf"
    options = {"host": URL, "access_key": ACCESS, "secret_key": SECRET, "bucket": BUCKET} | options
    with open(path, "w", encoding="utf-8") as config:
        config.write("[glance_store]\nstores = s3\ndefault_store = s3\n")
        config.writelines(f"s3_store_{option} = {value}\n" for option, value in options.items())
    return path


def configure_others():
    with open(f"{IMAGES}/aws", "w", encoding="utf-8") as config:
        config.write(f"[default]\ns3 =\n  multipart_chunksize = {PART}\n  multipart_threshold = {10 * PART}\n")
    os.environ |= {"AWS_CONFIG_FILE": f"{IMAGES}/aws", "AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET,
                   "AWS_DEFAULT_REGION": "us-east-1", "RCLONE_CONFIG": "/dev/null"}
    for name, value in {"TYPE": "s3", "PROVIDER": "Ceph", "ENDPOINT": URL, "ACCESS_KEY_ID": ACCESS, "SECRET_ACCESS_KEY": SECRET,
                        "CHUNK_SIZE": f"{PART}B", "UPLOAD_CUTOFF": f"{10 * PART}B", "UPLOAD_CONCURRENCY": "10", "NO_CHECK_BUCKET": "true"}.items():
        os.environ[f"RCLONE_CONFIG_CLOUD_{name}"] = value


def aws(*arguments):
    return timed("aws", "--endpoint-url", URL, "s3", "cp", "--only-show-errors", *arguments)


def ours(how, config):
    return lambda: reported(f"{PROGRAMS}/transfer", how, config, MADE, SOURCE)


def python(*mode):
    return lambda: reported(sys.executable, f"{HERE}/python_add.py", configuration(), MADE, SOURCE, *mode)


def others(**programs):
    return {NAMES[name]: run for name, run in programs.items() if shutil.which(name)}


def adding(client, add):
    """An add whose object is removed when its time has been taken, and compared with the source once before."""
    checked = []

    def run():
        cost = add()
        if not checked:
            client.download_file(BUCKET, MADE, RESULT)
            checked.append(True)
        client.delete_object(Bucket=BUCKET, Key=MADE)
        return cost
    return run


def contest(work, contestants):
    return Contest(f"{work} {IMAGE // MIB} MiB", SOURCE, RESULT, contestants).run(ROUNDS)


def adds(client, work, contestants):
    return contest(work, {name: adding(client, add) for name, add in contestants.items()})


def add_known(client):
    found = others(aws=lambda: aws(SOURCE, f"s3://{BUCKET}/{MADE}"),
                   rclone=lambda: timed("rclone", "copyto", SOURCE, f"cloud:{BUCKET}/{MADE}"))
    return adds(client, "size known, add", {OURS: ours("add-fd-known", configuration()), PYTHON: python("known"), **found})


def add_unknown(client):
    return adds(client, "size unknown, add", {OURS: ours("add-fd", configuration()), PYTHON: python()})


def add_stages(client):
    """What digests and signatures cost."""
    bare = "add-fd-known-bare"
    return adds(client, "stages, add", {
        "all: MD5, SHA-512, signed data": ours("add-fd-known", configuration()),
        "data not signed": ours("add-fd-known", configuration("unsigned", payload_signing="never")),
        "data not signed but by its MD5": ours("add-fd-known", configuration("md5", payload_signing="never", content_md5="true")),
        "no digests of the image": ours(bare, configuration()),
        "neither": ours(bare, configuration("unsigned", payload_signing="never")),
        "sending alone": ours(bare, configuration("alone", payload_signing="never", verify_etag="false")),
    })


def get(client):
    uri = f"{URL.replace('http://', 's3://')}/{BUCKET}/{STORED}"
    url = client.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": STORED})
    found = others(aws=lambda: aws(f"s3://{BUCKET}/{STORED}", RESULT),
                   rclone=lambda: timed("rclone", "copyto", f"cloud:{BUCKET}/{STORED}", RESULT),
                   curl=lambda: timed("curl", "--silent", "--show-error", "--fail", "--output", RESULT, url))
    return contest("get", {
        OURS: lambda: reported(f"{PROGRAMS}/transfer", "get-fd", configuration(), uri, RESULT),
        PYTHON: lambda: reported(sys.executable, f"{HERE}/python_get.py", configuration(), uri, RESULT), **found})


def report(contests):
    print(f"{ROUNDS} rounds, contestants in turn; parts of {PART // MIB} MiB. Awscli, rclone and curl are measured as whole "
          "programs; CPU is the client's.\n")
    print("| work | contestant | best s | median s | against the first | CPU s | peak MiB |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for one in contests:
        first = next(iter(one.costs))
        for name in one.costs:
            print(f"| {one.work} | {name} | {one.best(name):.2f} | {one.median(name):.2f} | "
                  f"{one.median(name) / one.median(first):.2f} | {one.cpu(name):.2f} | {one.peak(name):.0f} |")


def main():
    signal.signal(signal.SIGTERM, lambda *_signal: sys.exit(1))
    works = [work for work in (add_known, add_unknown, add_stages, get) if ONLY in work.__name__]
    client = connect()
    client.create_bucket(Bucket=BUCKET)
    configure_others()
    with open(SOURCE, "wb") as image:
        for _ in range(IMAGE // MIB):
            image.write(os.urandom(MIB))
    client.upload_file(SOURCE, BUCKET, STORED)
    report([work(client) for work in works])


main()
