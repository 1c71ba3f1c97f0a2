#!/bin/sh
# Sends a TriggerLoanAcceptanceRequest (OCEN 4.0) with nothing but openssl and curl, and verifies the signed ack.
#
#   examples/curl-openssl/v4-trigger-loan-acceptance.sh KEYS CA REGISTRY LENDER [LOAN_APPLICATION_ID]
#
#   KEYS       folder with membership.json (participant_id, organisation_id, client_id, kid, product_id,
#              product_network_id), client-secret, signing.key, tls.pem and tls.key,
#              as `ocen-sandbox registry join ACME` makes it of what `pki issue ACME` has made
#   CA         the certificate that the others' TLS certificates are verified with, in PEM
#   REGISTRY   base URL of Auth Service and registry, https://localhost:8443 in the sandbox
#   LENDER     participant id of the lender, for example 3052
#
# Exit status: 0 if the ack verifies and says that the request was accepted, 1 if not, 2 if called wrongly.
set -eu

[ $# -ge 4 ] || { sed -n '2,14s/^# \{0,1\}//p' "$0" >&2; exit 2; }
keys=$1 ca=$2 registry=$3 lender=$4 application=${5:-APPL-2031-000417}
for file in "$keys/membership.json" "$keys/client-secret" "$keys/signing.key" "$keys/tls.pem" "$keys/tls.key" "$ca"; do
    [ -r "$file" ] || { echo "$file cannot be read; make it with: ocen-sandbox registry join" >&2; exit 2; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# base64url without padding (RFC 7515 s2), both ways. openssl reads base64 only with its padding and its last newline.
encode() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
decode() { tr -- '-_' '+/' | awk '{ while (length($0) % 4) $0 = $0 "="; print }' | openssl base64 -d -A; }
# One member of a JSON object whose values are strings without escapes, as in all that is read here.
member() { tr -d '\n' | sed -n "s/.*\"$1\"[[:space:]]*:[[:space:]]*\"\([^\"]*\)\".*/\1/p"; }
mine() { member "$1" < "$keys/membership.json"; }
call() { curl --silent --show-error --max-time 10 --cert "$keys/tls.pem" --key "$keys/tls.key" --cacert "$ca" "$@"; }
# An RSA public key in PEM out of the modulus and the exponent of a JWK: openssl makes the DER of it (RFC 8017 A.1.1).
public_key() {
    modulus=$(decode < "$work/n" | od -An -v -tx1 | tr -d ' \n') exponent=$(decode < "$work/e" | od -An -v -tx1 | tr -d ' \n')
    printf 'asn1=SEQUENCE:spki\n[spki]\nalgorithm=SEQUENCE:alg\nkey=BITWRAP,SEQUENCE:rsa\n[alg]\noid=OID:rsaEncryption\nnull=NULL\n[rsa]\nn=INTEGER:0x%s\ne=INTEGER:0x%s\n' \
        "$modulus" "$exponent" > "$work/asn1"
    openssl asn1parse -genconf "$work/asn1" -noout -out "$work/der"
    openssl pkey -pubin -inform DER -in "$work/der"
}

# 1. A token by client credentials (RFC 6749 s4.4).
call --data-urlencode grant_type=client_credentials --data-urlencode "client_id=$(mine client_id)" \
    --data-urlencode "client_secret=$(cat "$keys/client-secret")" \
    "$registry/realms/dev/protocol/openid-connect/token" > "$work/token" || { echo "no answer from $registry" >&2; exit 1; }
token=$(member access_token < "$work/token")
[ -n "$token" ] || { echo "no token: $(cat "$work/token")" >&2; exit 1; }
echo "token: $(printf '%s' "$token" | wc -c) characters"

# 2. The lender's base URL and public keys, from the registry.
call --header "Authorization: Bearer $token" "$registry/service/participant-roles/$lender" > "$work/lender"
call --header "Authorization: Bearer $token" "$registry/service/participant-roles/$lender/jwks" > "$work/jwks"
url=$(member baseUrl < "$work/lender")
[ -n "$url" ] || { echo "no participant $lender: $(cat "$work/lender")" >&2; exit 1; }
echo "lender: $url"

# 3. The body, and its detached signature: header ".." signature, over header "." the body as it is (RFC 7797).
request_id=$(openssl rand -hex 16)
trace_id=$(openssl rand -hex 16)
printf '{"metadata":{"version":"4.0.0alpha","timestamp":"%s","traceId":"%s","requestId":"%s","originatorOrgId":"%s","originatorParticipantId":"%s"},"productData":{"productId":"%s","productNetworkId":"%s"},"loanApplicationId":"%s","credBlock":{"data":{"appToken":"FA+9qCX9VSu"}}}' \
    "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$trace_id" "$request_id" "$(mine organisation_id)" "$(mine participant_id)" \
    "$(mine product_id)" "$(mine product_network_id)" "$application" > "$work/body"
header=$(printf '{"alg":"RS256","kid":"%s","b64":false,"crit":["b64"]}' "$(mine kid)" | encode)
{ printf '%s.' "$header"; cat "$work/body"; } > "$work/signed"
signature="$header..$(openssl dgst -sha256 -sign "$keys/signing.key" -binary "$work/signed" | encode)"

# 4. POST it over mutual TLS.
status=$(call --output "$work/ack" --dump-header "$work/headers" --write-out '%{http_code}' \
    --header 'Content-Type: application/json' --header "Authorization: Bearer $token" --header "Signature: $signature" \
    --data-binary "@$work/body" "$url/v4.0.0alpha/loanAcceptance/triggerLoanAcceptanceRequest") \
    || { echo "no answer from $url" >&2; exit 1; }

# 5. The ack is signed beside its body too. Verify it over its exact bytes, by the kid that it names.
ack=$(tr -d '\r' < "$work/headers" | sed -n 's/^[Ss]ignature: *//p')
[ -n "$ack" ] || { echo "HTTP $status without a signature: $(cat "$work/ack")" >&2; exit 1; }
kid=$(printf '%s' "${ack%%.*}" | decode | member kid)
tr -d '\n' < "$work/jwks" | tr '{' '\n' | grep "\"$kid\"" > "$work/jwk" || { echo "kid $kid is not the lender's" >&2; exit 1; }
member n < "$work/jwk" > "$work/n"
member e < "$work/jwk" > "$work/e"
public_key > "$work/lender.pem"
{ printf '%s.' "${ack%%.*}"; cat "$work/ack"; } > "$work/acked"
printf '%s\n' "${ack##*.}" | decode > "$work/signature"
openssl dgst -sha256 -verify "$work/lender.pem" -signature "$work/signature" "$work/acked" > "$work/verdict" 2>&1 || {
    echo "HTTP $status, and the signature of the ack does not verify: $(cat "$work/ack")" >&2
    exit 1
}
echo "HTTP $status, signature of the ack: $(cat "$work/verdict")"
cat "$work/ack"
echo

# 6. It has to answer this message, and to accept it.
[ "$(member traceId < "$work/ack")" = "$trace_id" ] || { echo "the ack names another traceId" >&2; exit 1; }
[ "$(member error < "$work/ack")" = 0 ] || { echo "refused" >&2; exit 1; }
echo "accepted: requestId $request_id"
