"""Keystone's API server: serve_keystone.py CONFIGURATION

gunicorn's own settings lie beside the configuration, in gunicorn.conf.py: Keystone takes what is on the command
line of its process for its own."""

import os
import sys

from gunicorn.app.wsgiapp import run

configuration = sys.argv.pop(1)
os.environ["OS_KEYSTONE_CONFIG_FILES"] = configuration
os.environ["GUNICORN_CMD_ARGS"] = "--config " + os.path.join(os.path.dirname(configuration), "gunicorn.conf.py")
run()
