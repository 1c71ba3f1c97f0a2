#!/bin/sh
# Sends a TriggerLoanAcceptanceRequest (OCEN v3) with nothing but openssl and curl, and verifies the signed ack.
#
#   examples/curl-openssl/trigger-loan-acceptance.sh KEYS URL LENDER_KEY LENDER_CA [LOAN_APPLICATION_ID]
#
#   KEYS         folder of your organisation, as `ocen-sandbox pki issue ACME --role LSP` makes it
#   URL          base URL of the lender, https://localhost:8444 in the sandbox
#   LENDER_KEY   the lender's public key in PEM, to verify its ack with
#   LENDER_CA    the certificate that the lender's TLS certificate is verified with, in PEM
#
# Exit status: 0 if the ack verifies and says that the request was accepted, 1 if not, 2 if called wrongly.
set -eu

[ $# -ge 4 ] || { sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 2; }
keys=$1 url=$2 lender_key=$3 lender_ca=$4 application=${5:-APPL-2031-000417}
for file in "$keys/identity.json" "$keys/signing.key" "$keys/tls.pem" "$keys/tls.key" "$lender_key" "$lender_ca"; do
    [ -r "$file" ] || { echo "$file cannot be read; make the keys with: ocen-sandbox pki issue ACME --role LSP" >&2; exit 2; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# base64url without padding (RFC 7515 s2), both ways. openssl reads base64 only with its padding and its last newline.
encode() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
decode() { tr -- '-_' '+/' | awk '{ while (length($0) % 4) $0 = $0 "="; print }' | openssl base64 -d -A; }
# One member of a flat JSON object whose values are strings without escapes, as envelopes and acks are.
member() { sed -n "s/.*\"$1\"[[:space:]]*:[[:space:]]*\"\([^\"]*\)\".*/\1/p"; }

organisation=$(tr -d '\n' < "$keys/identity.json" | member organisation_id)
kid=$(tr -d '\n' < "$keys/identity.json" | tr '{' '\n' | grep '"signing.key"' | member kid)
request_id=$(openssl rand -hex 16)
trace_id=$(openssl rand -hex 16)

# 1. The payload. Timestamp and traceId are the nonce: new for every message (seed 002, "replay attacks").
printf '{"metadata":{"version":"1.0","timestamp":"%s","traceId":"%s","orgId":"%s"},"requestId":"%s","loanApplicationIds":["%s"],"credBlock":{"type":"OTP","data":{"appToken":"FA+9qCX9VSu"}}}' \
    "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$trace_id" "$organisation" "$request_id" "$application" > "$work/payload"

# 2. The envelope: sign base64url(header) "." base64url(payload) with RS512, that is PKCS#1 v1.5 and SHA-512.
header=$(printf '{"kid":"%s","alg":"RS512"}' "$kid" | encode)
payload=$(encode < "$work/payload")
signature=$(printf '%s.%s' "$header" "$payload" | openssl dgst -sha512 -sign "$keys/signing.key" -binary | encode)
printf '{"payload":"%s","header":"%s","signature":"%s"}' "$payload" "$header" "$signature" > "$work/envelope"

# 3. POST it over mutual TLS.
status=$(curl --silent --show-error --max-time 10 --output "$work/ack" --write-out '%{http_code}' \
    --cert "$keys/tls.pem" --key "$keys/tls.key" --cacert "$lender_ca" \
    --header 'Content-Type: application/json' --data-binary "@$work/envelope" \
    "$url/v3/loan/triggerLoanAcceptanceRequest") || { echo "no answer from $url" >&2; exit 1; }

# 4. The ack is an envelope too. Verify it over its exact bytes before believing any of it.
printf '%s.%s' "$(member header < "$work/ack")" "$(member payload < "$work/ack")" > "$work/signed"
member signature < "$work/ack" | decode > "$work/signature"
openssl dgst -sha512 -verify "$lender_key" -signature "$work/signature" "$work/signed" > "$work/verdict" 2>&1 || {
    echo "HTTP $status, and the signature of the ack does not verify: $(cat "$work/ack")" >&2
    exit 1
}
member payload < "$work/ack" | decode > "$work/ack-payload"
echo "HTTP $status, signature of the ack: $(cat "$work/verdict")"
cat "$work/ack-payload"
echo

# 5. It has to answer this message, and to accept it.
[ "$(member traceId < "$work/ack-payload")" = "$trace_id" ] || { echo "the ack names another traceId" >&2; exit 1; }
[ "$(member error < "$work/ack-payload")" = 0 ] || { echo "refused" >&2; exit 1; }
echo "accepted: requestId $request_id"
