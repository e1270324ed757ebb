"""The three programs by which strongroom rotates the key of Mailer.

Mailer is invented: a service that makes keys itself, has room for several, and tells a key once, as SendGrid, Sentry and
many others do. Here it is a file, `mailer.json`; where a real one is, `Mailer` calls its API.

    python3 mailer_key.py apply|verify|retire      the question comes on stdin, as docs/rotations.md tells
"""

import json
import os
import secrets
import sys

YES, NO = 0, 10


class Mailer:
    """What the service knows: names of keys, and the keys."""

    def __init__(self, path="mailer.json"):
        self.path = path
        self.keys = json.load(open(path)) if os.path.exists(path) else {}

    def create(self, name):
        self.keys[name] = "ML." + secrets.token_urlsafe(24)
        self._save()
        return self.keys[name]

    def delete(self, key):
        self.keys = {name: known for name, known in self.keys.items() if known != key}
        self._save()

    def accepts(self, key):
        return key in self.keys.values()

    def _save(self):
        with open(self.path + ".new", "w") as file:
            json.dump(self.keys, file)
        os.rename(self.path + ".new", self.path)


def main(step):
    question = json.load(sys.stdin)
    mailer = Mailer()
    old, new = question["values"]["MAILER_KEY"]["old"], question["values"]["MAILER_KEY"]["new"]
    if step == "apply":
        # The same name each time this operation asks: a key whose answer was lost is replaced, and none is left over.
        key = mailer.create("strongroom " + question["operation"])
        print(json.dumps({"values": {"MAILER_KEY": key}}))
        return YES
    if step == "verify":
        return YES if mailer.accepts(new) else NO
    if step == "retire":
        mailer.delete(old)  # what is gone already is as good
        return YES
    raise SystemExit(f"there is no step {step}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
