#!/bin/sh
# Search a running stsearch serve with curl: hits as JSON, the best word as a picture, a search by that picture.
#   sh examples/ask_server.sh coffee [http://127.0.0.1:8765] [word.jpg]
set -eu
query=$1 server=${2:-http://127.0.0.1:8765} word=${3:-word.jpg}

curl --silent --fail-with-body --get "$server/api/search" --data-urlencode "q=$query" --data top=1 >hit.json
cat hit.json && echo

# The word itself: the photograph of the hit, cut along its box.
place=$(python3 -c 'import json
[hit] = json.load(open("hit.json"))["hits"]
print(hit["photograph"] + "?show=crop&outline=" + ",".join(str(round(at)) for point in hit["box"] for at in point))')
curl --silent --fail-with-body "$server/api/image/$place" --output "$word"
rm hit.json

# What looks and reads like it.
curl --silent --fail-with-body "$server/api/search?top=3" --data-binary "@$word" --header "Content-Type: image/jpeg"
echo
