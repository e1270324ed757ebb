"""Reads each file as a Python library does: the library's call, then the files.

Leaves beside each file FILE.out, as `env -0` writes it, or FILE.err.
"""

import logging
import os
import sys

logging.disable(logging.CRITICAL)  # a line that is skipped shows as a missing name; its text belongs in no log
AMBIENT = dict(os.environ)


def dotenv_values(path):
    import dotenv

    return dotenv.dotenv_values(path)


def load_dotenv(path):
    import dotenv

    dotenv.load_dotenv(path)
    return os.environ


def read_env(path):
    import environ

    environ.Env.read_env(path)
    return os.environ


def env(path):
    names = [name for name in read_env(path) if name not in AMBIENT]
    import environ

    return {name: environ.Env()(name) for name in names}


for path in sys.argv[2:]:
    os.environ.clear()
    os.environ.update(AMBIENT)
    try:
        read = globals()[sys.argv[1]](path)
        pairs = [os.fsencode(name) + b"=" + os.fsencode(value) for name, value in read.items() if value is not None]
    except BaseException as failed:
        with open(path + ".err", "w") as err:
            err.write(repr(failed))
    else:
        with open(path + ".out", "wb") as out:
            out.write(b"".join(pair + b"\0" for pair in pairs))
