#!/bin/bash
# QEMU's and libnbd's tools on images that a web server has, plain and by TLS.
source "$(dirname "$0")/common.sh"

start_nginx
images=$NGINX_IMAGES
sample_disks "$images"
web=(set=glance_store.stores=http set=glance_store.default_store=http)
trusting=("${web[@]}" "set=glance_store.https_ca_certificates_file=$NGINX_CA")

clients "$NGINX_URL" "${web[@]}"
clients "$NGINX_TLS_URL" "${trusting[@]}"
empty_image "$NGINX_URL" "${web[@]}"
odd_offsets "$NGINX_URL" "${web[@]}"
odd_offsets "$NGINX_TLS_URL" "${trusting[@]}"

# With credentials, which come by a file and go nowhere but to the server.
echo "${NGINX_URL/:\/\//://$NGINX_CREDENTIALS@}/auth/disk.qcow2" >uri.txt
served "qemu-img compare '$images/disk.qcow2' \"\$uri\"" --verbose "${web[@]}" uri=+uri.txt
for secret in "$NGINX_PASSWORD" "${NGINX_CREDENTIALS#*:}"; do
    lacks err "$secret"
done
served 'qemu-img info "$uri"' "${web[@]}" "$NGINX_URL/redirect/relative/307/disk.qcow2"

# What cannot be served is refused before anybody connects.
web+=(set=glance_store.http_retries=0)
refused "${web[@]}" "$NGINX_URL/auth/disk.qcow2"
says 401
refused "${web[@]}" "$NGINX_URL/missing"
says 404
refused "${web[@]}" "$NGINX_TLS_URL/disk.qcow2"
says certificate
refused "${web[@]}" "$NGINX_URL/no-range/disk.qcow2"
says range
refused "${web[@]}" "$NGINX_URL/loop"
says redirect
stop_nginx
refused "${web[@]}" "$NGINX_URL/disk.qcow2"
says "${NGINX_URL#http://}"
