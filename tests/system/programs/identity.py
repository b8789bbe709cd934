# SPDX-License-Identifier: Apache-2.0
"""identity.py PORTFILE: a metadata service for tests. It gives tokens as a machine's managed identity
has them (their signature is nobody's), writes its port to PORTFILE, and each request to stdout. Tokens are good
for an hour; of a client id "life-N", N seconds."""

import base64
import http.server
import json
import os
import sys
import time
import urllib.parse

TENANT = "00000000-0000-0000-0000-00000000abcd"


def part(value):
    text = json.dumps(value).encode() if not isinstance(value, bytes) else value
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


class Service(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        url = urllib.parse.urlparse(self.path)
        query = urllib.parse.parse_qs(url.query)
        print(self.path, flush=True)
        if url.path != "/metadata/identity/oauth2/token" or self.headers.get("Metadata") != "true" or \
                query.get("resource") != ["https://storage.azure.com/"]:
            self.send_error(400)
            return
        now = int(time.time())
        client = query.get("client_id", [""])[0]
        life = int(client[5:]) if client.startswith("life-") else 3600
        claims = {"aud": "https://storage.azure.com", "iss": "https://sts.windows.net/%s/" % TENANT,
                  "iat": now - 10, "nbf": now - 10, "exp": now + life}
        token = ".".join([part({"typ": "JWT", "alg": "RS256"}), part(claims), part(b"nobody's")])
        body = json.dumps({"access_token": token, "expires_in": str(life), "expires_on": str(now + life),
                           "resource": "https://storage.azure.com/", "token_type": "Bearer"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
with open(sys.argv[1] + ".new", "w") as file:
    file.write(str(server.server_port))
os.rename(sys.argv[1] + ".new", sys.argv[1])
server.serve_forever()
