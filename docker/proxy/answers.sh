#!/bin/sh
# Writes haproxy's own answers into FOLDER, one file a status. Usage: answers.sh FOLDER
# The statuses that are missing come from rules that haproxy.cfg does not have.
set -eu
folder=$1

# STATUS REASON MESSAGE [RETRY_AFTER]: like a widget's, so that a page can read it.
answer() {
    body="{\"error\":\"$2\",\"message\":\"$3\"}"
    {
        printf '%s\r\n' "HTTP/1.1 $1 $2" 'content-type: application/json; charset=utf-8' "content-length: ${#body}" \
            'access-control-allow-origin: *' 'x-content-type-options: nosniff' ${4:+"retry-after: $4"} 'connection: close' ''
        printf '%s' "$body"
    } > "$folder/$1.http"
}

mkdir -p "$folder"
answer 400 'Bad Request' 'The request is not valid HTTP/1.1, or its headers are too large or too many.'
answer 408 'Request Timeout' 'The request took too long to arrive. Send it again.'
answer 413 'Payload Too Large' 'The request is too large.'
answer 422 'Unprocessable Entity' 'The body has a Transfer-Encoding that is not known. Send it as it is, or chunked.'
answer 500 'Internal Server Error' 'The proxy failed. Send it again.'
answer 501 'Not Implemented' 'The request asks for something that the proxy cannot do.'
answer 502 'Bad Gateway' 'The service ended while it answered. Send it again.' 1
answer 503 'Service Unavailable' 'No part of the service is up at this moment. Send it again in a few seconds.' 5
answer 504 'Gateway Timeout' 'The service has not answered in time. Send it again.' 1
