# Sourced by scripts that put an nginx with a certificate of its own CA before servers; it ends with the script.
# The certificate is for localhost, not for the address, and TLS_CA names the CA's.

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

# behind PORT URL [DIRECTIVE]: a server that passes on what it gets.
behind()
{
    cat <<CONFIG
    server {
        listen 127.0.0.1:$1 ssl;
        ssl_certificate     $work/server.pem;
        ssl_certificate_key $work/server.key;
        client_max_body_size 0;
        location / {
            proxy_pass $2;
            proxy_http_version 1.1;
            proxy_request_buffering off;
            proxy_buffering off;
            ${3:-}
        }
    }
CONFIG
}

# start_nginx LOGGING SERVER...: returns when it listens.
start_nginx()
{
    (make_certificates) 2>"$work/log" || { cat "$work/log" >&2; exit 1; }
    cat >"$work/nginx.conf" <<CONFIG
pid $work/nginx.pid;
events {}
http {
    $1
    client_body_temp_path $work/tmp;
    proxy_temp_path       $work/tmp;
    fastcgi_temp_path     $work/tmp;
    uwsgi_temp_path       $work/tmp;
    scgi_temp_path        $work/tmp;
${*:2}
}
CONFIG
    nginx -p "$work/" -e "$work/error.log" -c "$work/nginx.conf"
    export TLS_CA=$work/ca.pem
}

