"""Ends with 0 if the worker, or the registry, in this container says that it is healthy.

PENSTOCK_HEALTH_URL names another address than the worker's: http://127.0.0.1:8081/health/ready for a registry.
"""

from __future__ import annotations

import os
import ssl
import sys
import urllib.request

_URL = os.environ.get("PENSTOCK_HEALTH_URL", "http://127.0.0.1:8083/health")


def main() -> int:
    trust = ssl.create_default_context()
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE  # the certificate is for the name that others use
    try:
        with urllib.request.urlopen(_URL, timeout=4, context=trust) as answer:  # noqa: S310 - of this container's own settings
            answer.read()
    except OSError as error:
        print(f"{_URL}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
