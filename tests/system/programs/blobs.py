# SPDX-License-Identifier: Apache-2.0
"""blobs.py make|list|sas|get|put URL [NAME] [FILE]: a client of Azure Blob Storage for tests, by the key of
Azurite's own account; $CA is who signed the server's certificate. Independent of the product."""

import base64
import datetime
import hashlib
import hmac
import os
import re
import ssl
import sys
import urllib.parse
import urllib.request

ACCOUNT = "devstoreaccount1"
KEY = base64.b64decode("Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==")


def mac(text):
    return base64.b64encode(hmac.new(KEY, text.encode(), hashlib.sha256).digest()).decode()


def call(method, url, query=(), headers=(), body=b""):
    parts = urllib.parse.urlparse(url)
    headers = dict(headers)
    headers["x-ms-date"] = datetime.datetime.now(datetime.timezone.utc).strftime("%a, %d %b %Y %H:%M:%S GMT")
    headers["x-ms-version"] = "2020-10-02"
    special = "".join("%s:%s\n" % (name, headers[name]) for name in sorted(headers) if name.startswith("x-ms"))
    resource = "/%s%s" % (ACCOUNT, parts.path) + "".join("\n%s:%s" % item for item in sorted(query))
    text = "\n".join([method, "", "", str(len(body)) if body else "", "", headers.get("Content-Type", ""),
                      "", "", "", "", "", "", special + resource])
    headers["Authorization"] = "SharedKey %s:%s" % (ACCOUNT, mac(text))
    if query:
        url += "?" + urllib.parse.urlencode(query)
    request = urllib.request.Request(url, data=body or None, method=method, headers=headers)
    with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=os.environ["CA"]), timeout=20) as r:
        return r.read()


def sas(url):
    path = urllib.parse.urlparse(url).path.split("/")
    until = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    rights, version = "rcwdl", "2020-10-02"
    text = "\n".join([rights, "", until, "/blob/%s/%s" % (ACCOUNT, path[2]), "", "", "https", version, "c", "", "",
                      "", "", "", ""])
    return url + "?" + urllib.parse.urlencode({"sp": rights, "se": until, "spr": "https", "sv": version, "sr": "c",
                                               "sig": mac(text)})


what, url = sys.argv[1:3]
if what == "make":
    call("PUT", url, [("restype", "container")])
elif what == "list":
    marker = ""
    while True:
        query = [("restype", "container"), ("comp", "list")] + ([("marker", marker)] if marker else [])
        page = call("GET", url, query).decode()
        for blob in re.findall(r"<Blob>(.*?)</Blob>", page, re.S):
            print(*[re.search("<%s>(.*?)</%s>" % (tag, tag), blob).group(1)
                    for tag in ("Name", "BlobType", "Content-Type")])
        marker = (re.findall("<NextMarker>(.+?)</NextMarker>", page) or [""])[0]
        if not marker:
            break
elif what == "sas":
    print(sas(url))
elif what == "get":
    sys.stdout.buffer.write(call("GET", url + "/" + sys.argv[3]))
elif what == "put":
    with open(sys.argv[4], "rb") as file:
        call("PUT", url + "/" + sys.argv[3], (), {"x-ms-blob-type": "BlockBlob",
                                                 "Content-Type": "application/octet-stream"}, file.read())
