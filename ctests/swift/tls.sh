#!/bin/bash
# Runs a program while an nginx with a certificate of its own CA stands before Keystone and Swift: tls.sh COMMAND...
# The servers' addresses are in the environment (with_swift.sh); the program finds what is new there as well:
#   TLS_KEYSTONE_URL TLS_STORAGE_URL   by the name that the certificate has
#   TLS_WRONG_HOST_URL                 Keystone by address, which the certificate has not
#   TLS_CA                             the CA's certificate
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

# free_ports COUNT
free_ports()
{
    python3 - "$1" <<'PYTHON'
import socket, sys
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*(one.getsockname()[1] for one in held))
PYTHON
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

# behind PORT URL: a server that passes on what it gets.
behind()
{
    cat <<CONFIG
    server {
        listen 127.0.0.1:$1 ssl;
        ssl_certificate     $work/server.pem;
        ssl_certificate_key $work/server.key;
        client_max_body_size 0;
        location / { proxy_pass $2; proxy_http_version 1.1; proxy_request_buffering off; proxy_buffering off; }
    }
CONFIG
}

(make_certificates) 2>"$work/log" || { cat "$work/log" >&2; exit 1; }
read -r keystone_port swift_port <<<"$(free_ports 2)"
cat >"$work/nginx.conf" <<CONFIG
pid $work/nginx.pid;
events {}
http {
    access_log off;
    client_body_temp_path $work/tmp;
    proxy_temp_path       $work/tmp;
    fastcgi_temp_path     $work/tmp;
    uwsgi_temp_path       $work/tmp;
    scgi_temp_path        $work/tmp;
$(behind "$keystone_port" "${SWIFT_KEYSTONE_URL%/v3}")
$(behind "$swift_port" "$SWIFT_URL")
}
CONFIG
# It returns when it listens.
nginx -p "$work/" -e "$work/error.log" -c "$work/nginx.conf"
export TLS_KEYSTONE_URL=https://localhost:$keystone_port/v3 TLS_WRONG_HOST_URL=https://127.0.0.1:$keystone_port/v3
export TLS_STORAGE_URL=https://localhost:$swift_port/v1/AUTH_$SWIFT_PROJECT_ID TLS_CA=$work/ca.pem
"$@"
