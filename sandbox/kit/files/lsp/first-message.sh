#!/bin/sh
# Sends the lender a TriggerLoanAcceptanceRequest with what is in payload.json, and verifies the signed ack.
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
exec "$here/send-message.sh" "$here" /v3/loan/triggerLoanAcceptanceRequest "$here/payload.json"
