"""The tests' own requests to an S3 server, to see and to change what it holds:

  s3.py list BUCKET             every object with size and ETag, every older version and every mark of a deleted object, every
                                multipart upload with its parts, a line each; nothing for a bucket that is not there
  s3.py make BUCKET             makes a bucket
  s3.py remove BUCKET           removes it with all that it holds
  s3.py put BUCKET KEY FILE     stores an object
  s3.py get BUCKET KEY          prints its bytes
  s3.py head BUCKET KEY         prints the headers of an object, in lower case
  s3.py delete BUCKET KEY       removes an object
  s3.py abort BUCKET            aborts every multipart upload in it
  s3.py keep-versions BUCKET    lets a bucket keep versions from now on
  s3.py token                   prints temporary keys of the role `images`: access key, secret key, token
  s3.py begin BUCKET KEY [FILE] begins a multipart upload, with FILE as its first part, and prints its id

S3_URL, S3_ACCESS_KEY, S3_SECRET_KEY and S3_REGION name the server and the keys."""

import datetime
import hashlib
import hmac
import http.client
import os
import sys
import urllib.parse
import xml.etree.ElementTree as ElementTree


def digest(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def ask(method, path, query=None, body=b"", headers=None, service="s3"):
    """Status, headers and body of the answer to a signed request."""
    url = urllib.parse.urlsplit(os.environ["S3_URL"])
    region = os.environ.get("S3_REGION", "us-east-1")
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    day = now[:8]
    path = urllib.parse.quote(path, safe="/-._~")
    pairs = sorted((urllib.parse.quote(k, safe="-._~"), urllib.parse.quote(v, safe="-._~")) for k, v in (query or {}).items())
    text = "&".join(f"{name}={value}" for name, value in pairs)
    payload = hashlib.sha256(body).hexdigest()
    signed = {"host": url.netloc, "x-amz-content-sha256": payload, "x-amz-date": now, **(headers or {})}
    names = ";".join(sorted(signed))
    lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
    canonical = f"{method}\n{path}\n{text}\n{lines}\n{names}\n{payload}"
    scope = f"{day}/{region}/{service}/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = ("AWS4" + os.environ["S3_SECRET_KEY"]).encode()
    for part in (day, region, service, "aws4_request"):
        key = digest(key, part)
    proof = digest(key, to_sign).hex()
    signed["Authorization"] = (f"AWS4-HMAC-SHA256 Credential={os.environ['S3_ACCESS_KEY']}/{scope}, "
                               f"SignedHeaders={names}, Signature={proof}")
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
    connection.request(method, f"{path}?{text}" if text else path, body, signed)
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read()


def must(*arguments, **named):
    status, headers, body = ask(*arguments, **named)
    assert status < 300, (arguments[:3], status, body)
    return headers, body


def parsed(body):
    """XML without name spaces."""
    root = ElementTree.fromstring(body)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def tree(*arguments):
    """The XML of an answer; None for what is not there."""
    status, _, body = ask(*arguments)
    if status == 404:
        return None
    assert status == 200, (arguments, status, body)
    return parsed(body)


def objects(bucket):
    root = tree("GET", f"/{bucket}/")
    return [] if root is None else [(one.findtext("Key"), one.findtext("Size"), one.findtext("ETag")) for one in root.iter("Contents")]


def versions(bucket):
    """Key, version and whether it is just the mark of a deletion, of all but what `objects` tells."""
    status, _, body = ask("GET", f"/{bucket}/", {"versions": ""})
    if status in (404, 501):  # no bucket; a server that keeps none
        return []
    assert status == 200, (bucket, status, body)
    root = parsed(body)
    found = [*root.iter("Version"), *root.iter("DeleteMarker")]
    return [(one.findtext("Key"), one.findtext("VersionId"), one.tag) for one in found
            if one.tag != "Version" or one.findtext("IsLatest") != "true"]


def uploads(bucket):
    root = tree("GET", f"/{bucket}/", {"uploads": ""})
    return [] if root is None else [(one.findtext("Key"), one.findtext("UploadId")) for one in root.iter("Upload")]


def parts(bucket, key, upload):
    root = tree("GET", f"/{bucket}/{key}", {"uploadId": upload})
    return [] if root is None else [part.findtext("PartNumber") for part in root.iter("Part")]


def do_list(bucket):
    for entry in sorted(objects(bucket)):
        print("object", *entry)
    for version in sorted(versions(bucket)):
        print("version", *version)
    for key, upload in sorted(uploads(bucket)):
        print("upload", key, upload, *parts(bucket, key, upload))


def do_make(bucket):
    must("PUT", f"/{bucket}")


def do_abort(bucket):
    for key, upload in uploads(bucket):
        must("DELETE", f"/{bucket}/{key}", {"uploadId": upload})


def do_keep_versions(bucket):
    state = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    must("PUT", f"/{bucket}", {"versioning": ""}, body=state)


def do_token():
    order = {"Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": "arn:aws:iam:::role/images", "RoleSessionName": "test"}
    headers = {"content-type": "application/x-www-form-urlencoded"}
    _, body = must("POST", "/", body=urllib.parse.urlencode(order).encode(), headers=headers, service="sts")
    root = parsed(body)
    print(*(next(root.iter(name)).text for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")))


def do_remove(bucket):
    do_abort(bucket)
    for key, *_ in objects(bucket):
        must("DELETE", f"/{bucket}/{key}")
    for key, version, _ in versions(bucket):
        must("DELETE", f"/{bucket}/{key}", {"versionId": version})
    must("DELETE", f"/{bucket}")


def do_put(bucket, key, file):
    with open(file, "rb") as source:
        must("PUT", f"/{bucket}/{key}", body=source.read())


def do_get(bucket, key):
    sys.stdout.buffer.write(must("GET", f"/{bucket}/{key}")[1])


def do_head(bucket, key):
    headers, _ = must("HEAD", f"/{bucket}/{key}")
    for name, value in headers.items():
        print(f"{name.lower()}: {value}")


def do_delete(bucket, key):
    must("DELETE", f"/{bucket}/{key}")


def do_begin(bucket, key, file=None):
    upload = tree("POST", f"/{bucket}/{key}", {"uploads": ""}).findtext("UploadId")
    if file:
        with open(file, "rb") as source:
            must("PUT", f"/{bucket}/{key}", {"partNumber": "1", "uploadId": upload}, body=source.read())
    print(upload)


if __name__ == "__main__":
    globals()["do_" + sys.argv[1].replace("-", "_")](*sys.argv[2:])
