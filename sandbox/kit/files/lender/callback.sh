#!/bin/sh
# Calls the LSP back: TriggerLoanAcceptanceResponse with what is in payload.json, to the request of that id.
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
[ $# -eq 1 ] || { echo "callback.sh REQUEST_ID: the id of the request, as listener.py has printed it" >&2; exit 2; }
exec "$here/send-message.sh" "$here" /v3/loan/triggerLoanAcceptanceResponse "$here/payload.json" "$1"
