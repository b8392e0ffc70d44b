"""The tests' own requests to an S3 server, to see and to change what it holds:

  s3.py list BUCKET             every object with size and ETag, every multipart upload with its parts, a line each;
                                nothing for a bucket that is not there
  s3.py make BUCKET             makes a bucket
  s3.py remove BUCKET           removes it with all that it holds
  s3.py put BUCKET KEY FILE     stores an object
  s3.py get BUCKET KEY          prints its bytes
  s3.py head BUCKET KEY         prints the headers of an object, in lower case
  s3.py delete BUCKET KEY       removes an object
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


def ask(method, path, query=None, body=b"", headers=None):
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
    scope = f"{day}/{region}/s3/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = ("AWS4" + os.environ["S3_SECRET_KEY"]).encode()
    for part in (day, region, "s3", "aws4_request"):
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


def tree(*arguments):
    """The XML of an answer without name spaces; None for what is not there."""
    status, _, body = ask(*arguments)
    if status == 404:
        return None
    assert status == 200, (arguments, status, body)
    root = ElementTree.fromstring(body)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def objects(bucket):
    root = tree("GET", f"/{bucket}/")
    return [] if root is None else [(one.findtext("Key"), one.findtext("Size"), one.findtext("ETag")) for one in root.iter("Contents")]


def uploads(bucket):
    root = tree("GET", f"/{bucket}/", {"uploads": ""})
    return [] if root is None else [(one.findtext("Key"), one.findtext("UploadId")) for one in root.iter("Upload")]


def parts(bucket, key, upload):
    root = tree("GET", f"/{bucket}/{key}", {"uploadId": upload})
    return [] if root is None else [part.findtext("PartNumber") for part in root.iter("Part")]


def do_list(bucket):
    for entry in sorted(objects(bucket)):
        print("object", *entry)
    for key, upload in sorted(uploads(bucket)):
        print("upload", key, upload, *parts(bucket, key, upload))


def do_make(bucket):
    must("PUT", f"/{bucket}")


def do_remove(bucket):
    for key, upload in uploads(bucket):
        must("DELETE", f"/{bucket}/{key}", {"uploadId": upload})
    for key, *_ in objects(bucket):
        must("DELETE", f"/{bucket}/{key}")
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
    globals()[f"do_{sys.argv[1]}"](*sys.argv[2:])
