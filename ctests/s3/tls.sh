#!/bin/bash
# Runs a program while an nginx with a certificate of its own CA stands before the S3 server: tls.sh COMMAND...
# The server's address is in the environment (with_s3.sh); the program finds what is new there as well:
#   TLS_URL              by the name that the certificate has
#   TLS_WRONG_HOST_URL   by address, which the certificate has not
#   TLS_CA               the CA's certificate
#   TLS_LOG              a line for each request: METHOD TARGET X-AMZ-CONTENT-SHA256
set -euo pipefail

PATH=$PATH:/usr/sbin
if ! command -v nginx >/dev/null; then
    echo 'skipped, because nginx is not installed'
    exit 77
fi
work=$(mktemp -d)
cleanup()
{
    [[ ! -e $work/nginx.pid ]] || kill "$(<"$work/nginx.pid")" || true
    rm -rf "$work"
}
trap cleanup EXIT

free_port()
{
    python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])'
}

make_certificates()
{
    local key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
    cd "$work"
    openssl req -x509 "${key[@]}" -keyout ca.key -out ca.pem -days 2 -subj '/CN=Test CA' \
        -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign'
    openssl req "${key[@]}" -keyout server.key -out server.csr -subj '/CN=localhost'
    echo 'subjectAltName=DNS:localhost' >server.ext
    openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile server.ext -out server.pem
}

(make_certificates) 2>"$work/log" || { cat "$work/log" >&2; exit 1; }
port=$(free_port)
cat >"$work/nginx.conf" <<CONFIG
pid $work/nginx.pid;
events {}
http {
    log_format requests '\$request_method \$request_uri \$http_x_amz_content_sha256';
    access_log $work/requests requests;
    client_body_temp_path $work/tmp;
    proxy_temp_path       $work/tmp;
    fastcgi_temp_path     $work/tmp;
    uwsgi_temp_path       $work/tmp;
    scgi_temp_path        $work/tmp;
    server {
        listen 127.0.0.1:$port ssl;
        ssl_certificate     $work/server.pem;
        ssl_certificate_key $work/server.key;
        client_max_body_size 0;
        location / {
            proxy_pass $S3_URL;
            proxy_http_version 1.1;
            proxy_request_buffering off;
            proxy_buffering off;
            # It is signed.
            proxy_set_header Host \$http_host;
        }
    }
}
CONFIG
# It returns when it listens.
nginx -p "$work/" -e "$work/error.log" -c "$work/nginx.conf"
export TLS_URL=https://localhost:$port TLS_WRONG_HOST_URL=https://127.0.0.1:$port TLS_CA=$work/ca.pem TLS_LOG=$work/requests
"$@"
