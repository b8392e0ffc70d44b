"""Settings, before a registry is opened with them."""

import itertools
import logging
import os

from . import _abi
from ._abi import encode, lib
from ._handle import Handle, call

_LEVELS = {1: logging.ERROR, 2: logging.WARNING, 3: logging.INFO, 4: logging.DEBUG, 5: 5}

# What the library may still call, by the key that it hands back when it no longer will.
_loggers = {}
_keys = itertools.count(1)


class Config(Handle):
    """Settings being collected; later ones replace earlier ones.

    path    an oslo.config file to begin with, for example a whole glance-api.conf
    """

    def __init__(self, path=None):
        super().__init__(lib.gs_config_new(), lib.gs_config_free)
        if path is not None:
            self.load(path)

    def load(self, path):
        """Adds the settings of an oslo.config file; groups that are not the library's are ignored."""
        with self._use() as pointer:
            call(lib.gs_config_load, pointer, encode(os.fspath(path), "path"))
        return self

    def set(self, key, value, group=None):
        """Sets one key of a group, or of DEFAULT."""
        with self._use() as pointer:
            call(lib.gs_config_set, pointer, encode(group, "group"), encode(key, "key"),
                 encode(value, "value"))
        return self

    def reserve_store(self, store_id, driver):
        """Adds a store for the calling service's own use."""
        with self._use() as pointer:
            call(lib.gs_config_reserve_store, pointer, encode(store_id, "store_id"),
                 encode(driver, "driver"))
        return self

    def log_to(self, logger):
        """Sends the log of the registries opened from here to a `logging.Logger`, at its level."""
        wanted = logger.getEffectiveLevel()
        level = max((level for level, python in _LEVELS.items() if python >= wanted), default=0)
        key = next(_keys)
        _loggers[key] = logger
        with self._use() as pointer:
            lib.gs_config_set_log(pointer, level, _log, key, _forget)
        return self


@_abi.LOG
def _log(key, level, target, message):
    _loggers[key].log(_LEVELS.get(level, logging.DEBUG), "%s: %s", target.decode(),
                      message.decode())


@_abi.FREE
def _forget(key):
    del _loggers[key]
