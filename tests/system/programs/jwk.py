# SPDX-License-Identifier: Apache-2.0
"""jwk.py FILE: an RSA private key in PEM, as openssl rsa writes it, as a JWK on stdout."""

import base64
import json
import re
import subprocess
import sys

NAMES = {"modulus": "n", "privateExponent": "d", "prime1": "p", "prime2": "q", "exponent1": "dp",
         "exponent2": "dq", "coefficient": "qi"}

text = subprocess.run(["openssl", "rsa", "-in", sys.argv[1], "-noout", "-text"], check=True,
                      capture_output=True, text=True).stdout
jwk = {"kty": "RSA", "e": "AQAB"}
for name, digits in re.findall(r"^(\w+):\n((?:    [0-9a-f:]+\n)+)", text, re.M):
    if name in NAMES:
        number = bytes.fromhex(re.sub(r"[\s:]", "", digits)).lstrip(b"\0")
        jwk[NAMES[name]] = base64.urlsafe_b64encode(number).rstrip(b"=").decode()
print(json.dumps(jwk))
