#!/bin/bash
# Runs a program while an nginx with a certificate of its own CA stands before the S3 server: tls.sh COMMAND...
# It is a proxy for plain http as well. The server's address is in the environment (with_s3.sh); the program finds what
# is new there as well:
#   TLS_URL              by the name that the certificate has
#   TLS_WRONG_HOST_URL   by address, which the certificate has not
#   TLS_CA               the CA's certificate
#   TLS_LOG              a line for each request: METHOD TARGET X-AMZ-CONTENT-SHA256
#   PROXY_URL            the proxy, which leads to the server whatever host it is asked for
set -euo pipefail

. "$(dirname "$0")/../servers/tls.sh"

read -r port proxy_port <<<"$(free_ports 2)"
forward="
    server {
        listen 127.0.0.1:$proxy_port;
        client_max_body_size 0;
        location / {
            proxy_pass $S3_URL;
            proxy_http_version 1.1;
            proxy_request_buffering off;
            proxy_set_header Host \$http_host;
        }
    }"
# The host's name is signed.
start_nginx "log_format requests '\$request_method \$request_uri \$http_x_amz_content_sha256'; access_log $work/requests requests;" \
    "$(behind "$port" "$S3_URL" 'proxy_set_header Host $http_host;')" "$forward"
export TLS_URL=https://localhost:$port TLS_WRONG_HOST_URL=https://127.0.0.1:$port TLS_LOG=$work/requests PROXY_URL=http://127.0.0.1:$proxy_port
"$@"
