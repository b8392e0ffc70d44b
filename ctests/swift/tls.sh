#!/bin/bash
# Runs a program while an nginx with a certificate of its own CA stands before Keystone and Swift: tls.sh COMMAND...
# The servers' addresses are in the environment (with_swift.sh); the program finds what is new there as well:
#   TLS_KEYSTONE_URL TLS_STORAGE_URL   by the name that the certificate has
#   TLS_WRONG_HOST_URL                 Keystone by address, which the certificate has not
#   TLS_CA                             the CA's certificate
set -euo pipefail

. "$(dirname "$0")/../servers/tls.sh"

read -r keystone_port swift_port <<<"$(free_ports 2)"
start_nginx 'access_log off;' "$(behind "$keystone_port" "${SWIFT_KEYSTONE_URL%/v3}")" "$(behind "$swift_port" "$SWIFT_URL")"
export TLS_KEYSTONE_URL=https://localhost:$keystone_port/v3 TLS_WRONG_HOST_URL=https://127.0.0.1:$keystone_port/v3
export TLS_STORAGE_URL=https://localhost:$swift_port/v1/AUTH_$SWIFT_PROJECT_ID
"$@"
