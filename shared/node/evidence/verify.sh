#!/bin/sh
# Verifies the evidence in this folder with a POSIX shell and openssl, and no other program.
#
#   sh verify.sh
#
# Reads parts.txt, which names every part, its key, and what its signed payload has to say, and prints a line per part.
# Exit status: 0 if all of them hold, 1 if one does not, 2 if it cannot be told.
set -fu
LC_ALL=C
export LC_ALL
unset CDPATH
case $0 in */*) cd -- "${0%/*}" || exit 2 ;; esac
command -v openssl > /dev/null || { echo "openssl is not on the PATH; install it" >&2; exit 2; }
for file in SHA256SUMS parts.txt; do
    [ -r "$file" ] || { echo "$file cannot be read here; unpack the whole bundle" >&2; exit 2; }
done
newline='
'
status=0 name='' why='' text=''

bad() { why="$why${why:+; }$1"; }

# Puts a character in place of another: the shell splits at the one and joins with the other. The dot keeps the end.
replaced() (
    IFS=$2
    set -- "$3" $1.
    IFS=$1
    shift
    text="$*"
    printf '%s' "${text%.}"
)

# The base64url of a file, without padding (RFC 7515 s2).
base64url() {
    text=$(openssl base64 -A -in "$1")
    text=$(replaced "${text%%=*}" + -)
    replaced "$text" / _
}

sha256() { text=$(openssl dgst -sha256 -r "$@") && printf '%s' "${text%% *}"; }

# Reads a file into $text, and tells whether that has another text in it.
load() {
    text=''
    while IFS= read -r line || [ -n "$line" ]; do text=$text$line$newline; done < "$1"
}
has() { case $text in *"$1"*) ;; *) return 1 ;; esac; }
says() { load "$1" && has "$2"; }

# The signature over base64url(header) "." base64url(payload), RS512; and all three have to stand in the envelope.
signed() {
    header=$(base64url "$name.header.json") payload=$(base64url "$name.payload.json")
    signature=$(base64url "$name.signature")
    load "$name.json"
    { has "\"$header\"" && has "\"$payload\"" && has "\"$signature\""; } || bad "$name.json is not made of these parts"
    printf '%s.%s' "$header" "$payload" |
        openssl dgst -sha512 -verify "$1" -signature "$name.signature" > /dev/null 2>&1 ||
        bad "the signature is not that of $1"
}

# OCEN 4.0: the signature stands beside the body, over base64url(header) "." body, RS256. The body is signed as it is
# (RFC 7797) or in base64url (RFC 7515 Appendix F); there and back through base64 is how openssl alone copies a file.
signed_beside() {
    header=$(base64url "$name.header.json") signature=$(base64url "$name.signature")
    load "$name.jws"
    [ "$text" = "$header..$signature$newline" ] || bad "$name.jws is not made of these parts"
    { printf '%s.' "$header"; "$2" "$name.json"; } |
        openssl dgst -sha256 -verify "$1" -signature "$name.signature" > /dev/null 2>&1 ||
        bad "the signature is not that of $1"
}
as_it_is() { openssl base64 -in "$1" | openssl base64 -d; }

certified() {
    found=$(openssl x509 -in "$1" -outform DER 2> /dev/null | sha256)
    [ "$found" = "$2" ] || bad "$1 is not the certificate with the SHA-256 $2"
}

finish() {
    if [ -z "$why" ]; then echo "OK    $name: $1"; else status=1; printf '%s\n' "FAIL  $name: $1: $why"; fi
    name='' why=''
}

name=files
while read -r sum file; do
    [ "$(sha256 "$file" 2> /dev/null)" = "$sum" ] || bad "$file is not as SHA256SUMS says"
done < SHA256SUMS
finish 'every file is as it was packed'

while read -r word rest <&3; do
    case $word in
        part) name=$rest ;;
        key) signed "$rest" ;;
        beside) signed_beside "$rest" as_it_is ;;
        beside-base64) signed_beside "$rest" base64url ;;
        header) says "$name.header.json" "$rest" || bad "the signed header does not say $rest" ;;
        payload) says "$name.payload.json" "$rest" || bad "the signed payload does not say $rest" ;;
        body) says "$name.json" "$rest" || bad "the signed body does not say $rest" ;;
        certificate) certified "${rest%% *}" "${rest#* }" ;;
        found) bad "found when this was packed: $rest" ;;
        note) printf '%s\n' "-     $rest" ;;
        end) finish "$rest" ;;
        *) bad "parts.txt: $word is not known" ;;
    esac
done 3< parts.txt
[ -z "$name$why" ] || finish 'parts.txt has no end of it'
exit "$status"
