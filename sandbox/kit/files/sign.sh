#!/bin/sh
# Makes the signed envelope of a payload (OCEN v3) with nothing but openssl: of a message, a callback or an ack.
#
#   sign.sh FOLDER < payload.json > envelope.json
#
#   FOLDER   your folder, with signing.key, and form.yaml in which its kid stands
#
# The ack of a message is an envelope too; its payload is {"error":"0","traceId":"<the message's>","timestamp":"<now>"}.
set -eu

[ $# -eq 1 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
folder=$1
for file in "$folder/form.yaml" "$folder/signing.key"; do
    [ -r "$file" ] || { echo "$file cannot be read; see what FOLDER has to hold in the first lines of $0" >&2; exit 2; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# base64url without padding (RFC 7515 s2).
encode() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
# A field of a form: one line, without a comment behind it.
field() { sed -n "s/^$1:[[:space:]]*//p" "$2" | tr -d "\"'\r" | sed 's/[[:space:]]*$//'; }

cat > "$work/payload"

# Sign base64url(header) "." base64url(payload) with RS512, that is PKCS#1 v1.5 and SHA-512.
header=$(printf '{"kid":"%s","alg":"RS512"}' "$(field kid "$folder/form.yaml")" | encode)
payload=$(encode < "$work/payload")
signature=$(printf '%s.%s' "$header" "$payload" | openssl dgst -sha512 -sign "$folder/signing.key" -binary | encode)
printf '{"payload":"%s","header":"%s","signature":"%s"}' "$payload" "$header" "$signature"
