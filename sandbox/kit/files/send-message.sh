#!/bin/sh
# Sends a message (OCEN v3) with nothing but openssl and curl, and verifies the signed ack.
#
#   send-message.sh FOLDER PATH PAYLOAD [REQUEST_ID]
#
#   FOLDER       your folder: form.yaml, signing.key, tls.pem, tls.key; and counterparty/ with the form that onboarding
#                answered with, form.yaml, and the PEM files that it names (with ca.pem, if an authority issued them)
#   PATH         of the message, /v3/loan/triggerLoanAcceptanceRequest
#   PAYLOAD      file with the message as a JSON object, without metadata and requestId, which are added here
#   REQUEST_ID   of the request, if this is its callback; otherwise a new one is made
#
# Exit status: 0 if the ack verifies and says that the message was accepted, 1 if not, 2 if called wrongly.
set -eu

[ $# -ge 3 ] || { sed -n '2,12s/^# \{0,1\}//p' "$0" >&2; exit 2; }
folder=$1 path=$2 content=$3 request_id=${4:-$(openssl rand -hex 16)}
peer=$folder/counterparty
for file in "$folder/form.yaml" "$folder/signing.key" "$folder/tls.pem" "$folder/tls.key" "$peer/form.yaml" "$content"; do
    [ -r "$file" ] || { echo "$file cannot be read; see what is needed in the first lines of $0" >&2; exit 2; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# base64url without padding (RFC 7515 s2) back to bytes. openssl reads base64 only with its padding and its last newline.
decode() { tr -- '-_' '+/' | awk '{ while (length($0) % 4) $0 = $0 "="; print }' | openssl base64 -d -A; }
# One member of a flat JSON object whose values are strings without escapes, as envelopes and acks are.
member() { sed -n "s/.*\"$1\"[[:space:]]*:[[:space:]]*\"\([^\"]*\)\".*/\1/p"; }
# A field of a form: one line, without a comment behind it.
field() { sed -n "s/^$1:[[:space:]]*//p" "$2" | tr -d "\"'\r" | sed 's/[[:space:]]*$//'; }

url=$(field base_url "$peer/form.yaml")
authority=$peer/ca.pem
[ -r "$authority" ] || authority=$peer/$(field tls_certificate_file "$peer/form.yaml")

# 1. The payload. Timestamp and traceId are the nonce: new for every message (OCEN v3 Security, "replay attacks").
trace_id=$(openssl rand -hex 16)
{
    printf '{"metadata":{"version":"1.0","timestamp":"%s","traceId":"%s","orgId":"%s"},"requestId":"%s",' \
        "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$trace_id" "$(field organisation_id "$folder/form.yaml")" "$request_id"
    tr -d '\r\n' < "$content" | sed 's/^[[:space:]]*{//'
} > "$work/payload"

# 2. The envelope.
"$(dirname "$0")/sign.sh" "$folder" < "$work/payload" > "$work/envelope"

# 3. POST it over mutual TLS.
status=$(curl --silent --show-error --max-time 10 --output "$work/ack" --write-out '%{http_code}' \
    --cert "$folder/tls.pem" --key "$folder/tls.key" --cacert "$authority" \
    --header 'Content-Type: application/json' --data-binary "@$work/envelope" "$url$path") ||
    { echo "no answer from $url" >&2; exit 1; }

# 4. The ack is an envelope too. Verify it over its exact bytes, with the key that its kid names, before believing it.
kid=$(member header < "$work/ack" | decode | member kid)
case $kid in
    "") echo "HTTP $status, and the answer is no envelope: $(cat "$work/ack")" >&2; exit 1 ;;
    "$(field kid "$peer/form.yaml")") key=$peer/$(field public_key_file "$peer/form.yaml") ;;
    "$(field backup_kid "$peer/form.yaml")") key=$peer/$(field backup_public_key_file "$peer/form.yaml") ;;
    *) echo "HTTP $status, and the ack is signed with key $kid, which $peer/form.yaml does not have" >&2; exit 1 ;;
esac
printf '%s.%s' "$(member header < "$work/ack")" "$(member payload < "$work/ack")" > "$work/signed"
member signature < "$work/ack" | decode > "$work/signature"
openssl dgst -sha512 -verify "$key" -signature "$work/signature" "$work/signed" > "$work/verdict" 2>&1 || {
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
