"""Runs the embedded vhost: `python -m embedded_vhost`."""

import sys

from embedded_vhost.app import main

sys.exit(main())
